import { type Html, html } from "./html.ts";
import { framed } from "./frame.ts";
import type { Site } from "./site.ts";

const MAX_NPUB = 100;
const MAX_IDENTIFIER = 300;
const MAX_PATH = 500;

/** The 404 of a repository path. */
export function repositoryNotFoundPage(site: Site, npub: string, identifier: string): Response {
  return notFound(
    site,
    "Repository Not Found",
    html`
      <p>No repository <code>${identifier.slice(0, MAX_IDENTIFIER)}</code> is hosted here for</p>
      <p class="dim"><code>${npub.slice(0, MAX_NPUB)}</code></p>
      <p>It may not have been announced to this server, or its announcement has expired without git data.</p>
    `,
  );
}

/** The 404 of everything else. */
export function notFoundPage(site: Site, path: string): Response {
  return notFound(
    site,
    "Page Not Found",
    html`
      <p>Nothing is served at <code>${path.slice(0, MAX_PATH)}</code>.</p>
    `,
  );
}

/** Never cached: repositories appear within seconds. */
function notFound(site: Site, title: string, text: Html): Response {
  const main = html`
    <h1>${title}</h1>
    ${text}
    <p><a href="/">Go to ${site.name}</a></p>
  `;
  return framed(site, { status: 404, title, headers: { "Cache-Control": "no-store" } }, main);
}
