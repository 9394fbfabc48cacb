import { framed } from "./frame.ts";
import { type Html, html } from "./html.ts";
import { relayReference, type Site, siteUrl } from "./site.ts";

const PRODUCT_TEXT =
  "A GRASP server on Deno: a Nostr relay and a git server in one program, where signed events decide what may be pushed.";

const GRASP_TEXTS: Readonly<Record<string, readonly [title: string, text: string]>> = {
  "GRASP-01": ["Nostr Authorised HTTP Git Server", "with an embedded Nostr relay"],
  "GRASP-02": ["Proactive Sync", "which fetches events and git data it misses from other servers"],
  "GRASP-05": ["Archive", "with copies of repositories that do not list this server"],
  "GRASP-06": ["Contributor Pull Requests", "with their git data taken at /prs/"],
};

const NIP_TEXTS: Readonly<Record<number, string>> = {
  1: "Basic protocol: events, signatures, subscriptions",
  9: "Deletion requests",
  11: "Relay information document",
  34: "Git repositories, patches, pull requests and issues",
  40: "Expiration time of events",
  42: "Authentication of clients",
  45: "Counting events",
  70: "Protected events",
  77: "Negentropy: reconciling sets of events",
};

/** Members of the NIP-11 document in the order of the table. */
const INFORMATION_ROWS = [
  "name",
  "description",
  "pubkey",
  "self",
  "contact",
  "supported_nips",
  "software",
  "version",
  "icon",
  "supported_grasps",
  "repo_acceptance_criteria",
  "curation",
  "limitation",
  "posting_policy",
  "privacy_policy",
  "terms_of_service",
];

/** `GET /`: who this is, what it takes and what it speaks. */
export function landingPage(site: Site): Response {
  const main = html`
    <div class="intro">
      ${iconImage(site)}
      <div>
        <h1>${site.name}</h1>
        <p>${site.description}</p>
      </div>
    </div>
    <p>
      <a class="go" href="https://gitworkshop.dev/relay/${relayReference(
        site,
      )}">Browse Repositories on GitWorkshop.dev</a>
    </p>
    <dl>
      <dt>Curation</dt>
      <dd>${site.curation ?? "None"}</dd>
      <dt>Repository acceptance criteria</dt>
      <dd>${site.acceptance}</dd>
      <dt>Relay</dt>
      <dd><code>${site.scheme === "https" ? "wss" : "ws"}://${site.domain}</code></dd>
    </dl>
    <p class="tags">${site.supportedGrasps.map(tag)}${site.supportedNips.map(nipName).map(tag)}</p>
    <section class="card" aria-label="Software">
      <h3>ngit-grasp <span class="dim">v${site.version}</span></h3>
      <p>${PRODUCT_TEXT} <a href="https://ngit.dev/grasp">About GRASP</a></p>
    </section>
    <h2>Supported GRASPs</h2>
    <ul class="cards">${site.supportedGrasps.map(graspCard)}</ul>
    <h2>Supported NIPs</h2>
    <ul class="cards">${site.supportedNips.map((nip) => card(nipName(nip), NIP_TEXTS[nip] ?? ""))}</ul>
    ${informationTable(site)}
  `;
  return framed(site, {
    status: 200,
    title: site.name,
    description: site.description,
    headers: { "Cache-Control": "no-cache", Vary: "Accept" },
  }, main);
}

/** Our own icon, or the operator's when browsers may load it (https); never another site's by default. */
function iconImage(site: Site): Html | undefined {
  const icon = String(site.information?.icon ?? "");
  const isOurs = icon === "" || icon === siteUrl(site, "/icon.png");
  const source = isOurs ? "/icon.png" : icon;
  if (!isOurs && !source.startsWith("https://")) return undefined;
  return html`
    <img src="${source}" alt="Icon of ${site.name}" width="80" height="80">
  `;
}

function tag(text: string): Html {
  return html`
    <span class="tag">${text}</span>
  `;
}

function nipName(nip: number): string {
  return `NIP-${String(nip).padStart(2, "0")}`;
}

function graspCard(grasp: string): Html {
  const [title, text] = GRASP_TEXTS[grasp] ?? [grasp, ""];
  return card(grasp, title === grasp ? text : `${title}, ${text}`);
}

function card(title: string, text: string): Html {
  return html`
    <li class="card">
      <h3>${title}</h3>
      <p>${text}</p>
    </li>
  `;
}

function informationTable({ information }: Site): Html | undefined {
  if (!information) return undefined;
  const rows = INFORMATION_ROWS.filter((name) => information[name] !== undefined).map((name) =>
    html`
      <tr>
        <th scope="row"><code>${name}</code></th>
        <td>${informationValue(information[name])}</td>
      </tr>
    `
  );
  return html`
    <h2 id="information">Relay Information Document</h2>
    <table aria-labelledby="information">
      <tbody>${rows}</tbody>
    </table>
  `;
}

function informationValue(value: unknown): Html {
  if (Array.isArray(value)) return text(value.join(", "));
  if (typeof value === "object" && value !== null) {
    return text(Object.entries(value).map(([name, item]) => `${name}: ${item}`).join(", "));
  }
  const plain = String(value);
  if (/^https?:\/\//.test(plain) && URL.canParse(plain)) {
    return html`
      <a href="${plain}" rel="noreferrer">${plain}</a>
    `;
  }
  return /^[0-9a-f]{64}$/.test(plain)
    ? html`
      <code>${plain}</code>
    `
    : text(plain);
}

function text(value: string): Html {
  return html`
    ${value}
  `;
}
