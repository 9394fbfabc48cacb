import { encodeIdentifier, encodeNpub } from "../nostr/mod.ts";
import { framed } from "./frame.ts";
import { type Html, html } from "./html.ts";
import { repositoryPath } from "./raw_path.ts";
import { relayReference, type RepositoryFacts, type Site, siteUrl } from "./site.ts";

const MAX_NAME = 200;
const MAX_DESCRIPTION = 2_000;
const MAX_MAINTAINERS = 50;

/**
 * `GET /<npub>/<identifier>.git` of a repository that exists here, also while it waits for its git
 * data; `facts` is undefined when no event about it is known.
 */
export function repositoryPage(
  site: Site,
  npub: string,
  identifier: string,
  facts: RepositoryFacts | undefined,
): Response {
  const path = repositoryPath(npub, identifier);
  const url = siteUrl(site, path);
  const reference = `${npub}/${relayReference(site)}/${encodeIdentifier(identifier)}`;
  const main = html`
    <h1>${identifier}</h1>
    <p class="dim">by <code>${npub}</code></p>
    ${factsOf(facts)}
    <p>A git repository authorised by signed Nostr events (<a href="https://ngit.dev/grasp">GRASP</a>).</p>
    <p><a class="go" href="https://gitworkshop.dev/${reference}">Browse Repository on GitWorkshop.dev</a></p>
    <h2>Clone</h2>
    <p>With git alone:</p>
    ${command("plain", `git clone ${url}`)}
    <p>With <a href="https://ngit.dev">ngit</a>, pull requests and issues included. Install it once:</p>
    ${command("install", "curl -Ls https://ngit.dev/install.sh | bash")}
    <p>Then clone from Nostr:</p>
    ${command("nostr", `git clone nostr://${reference}`)}
  `;
  return framed(site, {
    status: 200,
    title: `${identifier} - ${site.name}`,
    description: facts?.state === "active" ? facts.description?.slice(0, 300) : undefined,
    head: html`
      <link rel="vcs-git" href="${url}" title="${identifier}">
    `,
    headers: { "Cache-Control": "no-cache" },
  }, main);
}

/** One command with a button that copies it. */
function command(id: string, text: string): Html {
  return html`
    <div class="clone">
      ${pre(id, text)}
      <button type="button" data-copy="${id}" aria-label="Copy command" aria-live="polite" hidden>
        Copy
      </button>
    </div>
  `;
}

/** Not indented by the formatter: spaces inside `pre` would be copied. */
function pre(id: string, text: string): Html {
  return html`
    <pre id="${id}">${text}</pre>
  `;
}

function factsOf(facts: RepositoryFacts | undefined): Html | undefined {
  if (facts === undefined) return undefined;
  if (facts.state === "purgatory") {
    return html`
      <p class="badge">Waiting for git data: nothing has been pushed yet.</p>
    `;
  }
  const { name, description, maintainers, defaultBranch, branches, tags } = facts;
  const hidden = maintainers.length - MAX_MAINTAINERS;
  return html`
    ${description
      ? html`
        <p>${description.slice(0, MAX_DESCRIPTION)}</p>
      `
      : undefined}
    <dl>
      ${row("Name", name?.slice(0, MAX_NAME))} ${row("Default branch", defaultBranch)} ${row(
        "Branches",
        branches,
      )} ${row("Tags", tags)}
      <dt>Maintainers</dt>
      <dd>
        ${maintainers.slice(0, MAX_MAINTAINERS).map(maintainer)} ${hidden > 0
          ? `and ${hidden} more`
          : undefined}
      </dd>
    </dl>
  `;
}

function row(term: string, value: string | number | undefined): Html | undefined {
  return value === undefined || value === "" ? undefined : html`
    <dt>${term}</dt>
    <dd>${value}</dd>
  `;
}

function maintainer(pubkey: string): Html {
  return html`
    <div><code>${encodeNpub(pubkey)}</code></div>
  `;
}
