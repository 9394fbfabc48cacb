import { type Html, html, page, type PageParts } from "./html.ts";
import type { Site } from "./site.ts";

/** A page with the parts all pages share: way home, theme button, footer. */
export function framed(site: Site, parts: Omit<PageParts, "body">, main: Html): Response {
  const body = html`
    <a class="skip" href="#main">Skip to content</a>
    <header>
      <a class="home" href="/">
        <img src="/icon.png" alt="" width="28" height="28">
        <span>${site.name}</span>
      </a>
      <button type="button" id="theme" aria-label="Switch between dark and light theme" hidden></button>
    </header>
    <main id="main">${main}</main>
    <footer>
      <code>${site.domain}</code> &middot; powered by
      <a href="https://ngit.dev/grasp">ngit-grasp</a> v${site.version} &middot; MIT licence
    </footer>
  `;
  return page({ ...parts, body });
}
