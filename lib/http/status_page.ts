import { framed } from "./frame.ts";
import { type Html, html } from "./html.ts";
import { repositoryPath } from "./raw_path.ts";
import type { Site } from "./site.ts";
import type {
  DiskFacts,
  HuntFacts,
  Listing,
  PeerFacts,
  RepositoryName,
  StatusFacts,
  WaitingFacts,
} from "./status_facts.ts";

const NEVER = "never";
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** `GET /status` for the operator: who is followed, what waits, what is searched, what fills the disk. */
export function statusPage(site: Site, facts: StatusFacts): Response {
  const { at, version, commit, uptimeSeconds, storedEvents, repositories, peers, waiting, hunts, disk } =
    facts;
  const main = html`
    <h1>Status</h1>
    <p><span class="dim">As of ${instant(at)}</span> <a href="/status">Refresh</a></p>
    <dl>
      <dt>Version</dt>
      <dd>${version} <code class="dim">${commit}</code></dd>
      <dt>Running for</dt>
      <dd>${span(uptimeSeconds * 1000)}</dd>
      <dt>Served events</dt>
      <dd>${storedEvents}</dd>
      <dt>Repositories</dt>
      <dd>${repositories}</dd>
    </dl>
    ${peersSection(peers, at)} ${waitingSection(waiting, at)} ${huntsSection(hunts, at)} ${diskSection(
      disk,
      at,
    )}
  `;
  return framed(site, {
    status: 200,
    title: `Status - ${site.name}`,
    headers: { "Cache-Control": "no-store" },
  }, main);
}

function peersSection(peers: Listing<PeerFacts> | undefined, at: number): Html {
  if (!peers) return section("Peers", undefined, "Outgoing connections are switched off.");
  const rows = peers.shown.map((peer) =>
    row([
      peer.relay,
      peer.connection,
      peer.failures > 0 ? `${peer.health}, ${peer.failures} failed` : peer.health,
      ago(peer.lastHeardAt, at),
      peer.pendingBatches > 0 ? `${peer.pendingBatches} batches behind` : ago(peer.completeAt, at),
      `${peer.subscriptions} / ${peer.queued}`,
      peer.remark ?? "",
    ])
  );
  const heads = ["Relay", "Connection", "Health", "Last heard", "History complete", "Subs / queue", "Remark"];
  return section("Peers", peers, "No other relay is followed.", table("Peers", heads, rows));
}

function waitingSection(waiting: Listing<WaitingFacts>, at: number): Html {
  const rows = waiting.shown.map((entry) =>
    row([
      entry.source === undefined ? entry.sort : `${entry.sort}, ${entry.source}`,
      entry.repository ? repositoryLink(entry.repository) : "",
      html`
        <code title="${entry.id}">${entry.id.slice(0, 12)}</code>
      `,
      entry.waitsFor,
      ago(entry.since, at),
      html`
        ${until(entry.until, at)}, <span class="dim">${instant(entry.until)}</span>
      `,
    ])
  );
  const heads = ["Entry", "Repository", "Event", "Waits for", "Since", "Until"];
  return section("Purgatory", waiting, "Nothing waits.", table("Purgatory", heads, rows));
}

function huntsSection(hunts: Listing<HuntFacts>, at: number): Html {
  const rows = hunts.shown.map((hunt) =>
    row([
      repositoryLink(hunt.repository),
      hunt.events,
      hunt.attempts,
      hunt.nextAt === undefined ? "under way" : until(hunt.nextAt, at),
      html`
        <ul>
          ${hunt.servers.map(({ url, result, at: triedAt }) =>
            html`
              <li>${url}: ${result}, ${ago(triedAt, at)}</li>
            `
          )}
        </ul>
      `,
    ])
  );
  const heads = ["Repository", "Events", "Failed searches", "Next search", "Servers asked"];
  return section("Hunts", hunts, "No git data is searched for.", table("Hunts", heads, rows));
}

function diskSection(disk: DiskFacts | undefined, at: number): Html {
  if (!disk) return section("Disk by owner", undefined, "Being added up; look again in a moment.");
  const rows = disk.owners.shown.map(({ npub, repositories, bytes }) =>
    row([
      html`
        <code>${npub}</code>
      `,
      repositories,
      size(bytes),
    ])
  );
  const heads = ["Owner", "Repositories", "Size"];
  return html`
    ${section("Disk by owner", disk.owners, "There is no repository.", table("Disk by owner", heads, rows))}
    <p class="dim">${size(disk.totalBytes)} in all, added up ${ago(disk.at, at)}.</p>
  `;
}

function section(title: string, list: Listing<unknown> | undefined, empty: string, content?: Html): Html {
  const isEmpty = !list || list.total === 0;
  const note = list && list.shown.length < list.total
    ? `The first ${list.shown.length} of ${list.total}.`
    : "";
  return html`
    <h2>${title}${list && !isEmpty ? ` (${list.total})` : ""}</h2>
    ${isEmpty
      ? html`
        <p class="dim">${empty}</p>
      `
      : content} ${note === "" ? undefined : html`
      <p class="dim">${note}</p>
    `}
  `;
}

function table(label: string, heads: readonly string[], rows: readonly Html[]): Html {
  const cells = heads.map((head) =>
    html`
      <th scope="col">${head}</th>
    `
  );
  return html`
    <div class="wide" role="region" aria-label="${label}" tabindex="0">
      <table class="grid">
        <thead><tr>${cells}</tr></thead>
        <tbody>${rows}</tbody>
      </table>
    </div>
  `;
}

function row(cells: readonly (string | number | Html)[]): Html {
  return html`
    <tr>${cells.map((cell) =>
      html`
        <td>${cell}</td>
      `
    )}</tr>
  `;
}

function repositoryLink({ npub, identifier }: RepositoryName): Html {
  return html`
    <a href="${repositoryPath(npub, identifier)}">${identifier}</a>
    <span class="dim">by ${npub.slice(0, 12)}…</span>
  `;
}

function instant(at: number): Html {
  const text = new Date(at).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
  return html`
    <time datetime="${new Date(at).toISOString()}">${text}</time>
  `;
}

function ago(then: number | undefined, at: number): string {
  if (then === undefined) return NEVER;
  return at - then < 1_000 ? "just now" : `${span(at - then)} ago`;
}

function until(then: number, at: number): string {
  return then <= at ? "due" : `in ${span(then - at)}`;
}

/** A length in its two largest units. */
function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = ([["d", 86_400, Infinity], ["h", 3_600, 24], ["min", 60, 60], ["s", 1, 60]] as const)
    .map(([unit, length, most]) => [Math.floor(seconds / length) % most, unit] as const);
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map(([count, unit]) =>
    `${count} ${unit}`
  ).join(" ");
}

function size(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`;
}
