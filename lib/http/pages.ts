import { encodeIdentifier } from "../nostr/mod.ts";
import { type Html, html, page } from "./html.ts";

/** What the pages say about this server. */
export interface Site {
  readonly name: string;
  readonly description: string;
  /** `host[:port]`. */
  readonly domain: string;
  readonly scheme: "http" | "https";
  readonly version: string;
  readonly supportedGrasps: readonly string[];
  readonly supportedNips: readonly number[];
  readonly acceptance: string;
  readonly curation: string | undefined;
}

const GRASP_TEXTS: Readonly<Record<string, string>> = {
  "GRASP-01": "Git hosting authorised by signed Nostr events, with an embedded relay",
};

/** How other sites name this relay in a URL: the host for https, an encoded ws:// URL for http. */
function relayReference(site: Site): string {
  return site.scheme === "https" ? site.domain : encodeURIComponent(`ws://${site.domain}`);
}

/** `GET /`. */
export function landingPage(site: Site): Response {
  const body = html`
    <main>
      <h1>${site.name}</h1>
      <p>${site.description}</p>
      <p><a href="https://gitworkshop.dev/relay/${relayReference(
        site,
      )}">Browse repositories on GitWorkshop.dev</a></p>
      <dl>
        <dt>Curation</dt>
        <dd>${site.curation ?? "None"}</dd>
        <dt>Repository acceptance criteria</dt>
        <dd>${site.acceptance}</dd>
        <dt>Relay and git server</dt>
        <dd><code>${site.scheme === "https" ? "wss" : "ws"}://${site.domain}</code></dd>
      </dl>
      <h2>Supported</h2>
      <p>${site.supportedGrasps.map((grasp) => tag(grasp))}${site.supportedNips.map((nip) =>
        tag(`NIP-${String(nip).padStart(2, "0")}`)
      )}</p>
      <ul>${site.supportedGrasps.map((grasp) =>
        html`
          <li>${grasp}: ${GRASP_TEXTS[grasp] ?? grasp}</li>
        `
      )}</ul>
    </main>${footer(site)}
  `;
  return page(200, site.name, body, { "Cache-Control": "no-cache", Vary: "Accept" });
}

/** `GET /<npub>/<identifier>.git` of a repository that exists here, also while it waits for data. */
export function repositoryPage(site: Site, npub: string, identifier: string): Response {
  const encoded = encodeIdentifier(identifier);
  const reference = relayReference(site);
  const body = html`
    <main>
      <p><a href="/">${site.name}</a></p>
      <h1>${identifier}</h1>
      <p class="dim">by ${npub}</p>
      <p>A git repository authorised by signed Nostr events (<a href="https://ngit.dev/grasp">GRASP</a>).</p>
      <p><a href="https://gitworkshop.dev/${npub}/${reference}/${encoded}">Browse on GitWorkshop.dev</a></p>
      <h2>Clone</h2>
      <pre>git clone ${site.scheme}://${site.domain}/${npub}/${encoded}.git</pre>
      <p class="dim">With <a href="https://ngit.dev">ngit</a> installed, pull requests and issues included:</p>
      <pre>git clone nostr://${npub}/${reference}/${encoded}</pre>
    </main>${footer(site)}
  `;
  return page(200, `${identifier} - ${site.name}`, body, { "Cache-Control": "no-cache" });
}

/** The 404 of a repository path. */
export function repositoryNotFoundPage(site: Site, npub: string, identifier: string): Response {
  const body = html`
    <main>
      <h1>Repository Not Found</h1>
      <p>
        No repository <code>${identifier.slice(0, 300)}</code> of <code class="dim">${npub.slice(
          0,
          100,
        )}</code> is hosted here. It may not
        have been announced to this server.
      </p>
      <p><a href="/">${site.name}</a></p>
    </main>${footer(site)}
  `;
  return page(404, "Repository Not Found", body, { "Cache-Control": "no-store" });
}

/** The 404 of everything else. */
export function notFoundPage(site: Site, path: string): Response {
  const body = html`
    <main>
      <h1>Page Not Found</h1>
      <p>Nothing is served at <code>${path.slice(0, 500)}</code>.</p>
      <p><a href="/">${site.name}</a></p>
    </main>${footer(site)}
  `;
  return page(404, "Page Not Found", body, { "Cache-Control": "no-store" });
}

function tag(text: string): Html {
  return html`
    <span class="tag">${text}</span>
  `;
}

function footer(site: Site): Html {
  return html`
    <footer class="dim">${site.domain} - powered by ngit-grasp v${site.version}, MIT licence</footer>
  `;
}
