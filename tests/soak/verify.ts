import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { git, tryGit } from "../support/git_client.ts";
import type { Project } from "./ledger.ts";
import type { Node } from "./node.ts";

const PAGE = 500;
/** Kinds whose copies depend on who was there when they were sent. */
const DELETION = 5;

/** A difference between what a server has and what it should have. */
export interface Difference {
  readonly node: Node;
  readonly text: string;
}

/** Everything a server serves, by id, read page by page. */
export async function servedEvents(node: Node): Promise<Map<string, NostrEvent>> {
  const relay = await node.connect();
  const events = new Map<string, NostrEvent>();
  let until: number | undefined;
  try {
    for (;;) {
      const page = await relay.query({ limit: PAGE, ...(until !== undefined && { until }) });
      const before = events.size;
      for (const event of page) events.set(event.id, event);
      if (page.length < PAGE) return events;
      const oldest = Math.min(...page.map(({ created_at }) => created_at));
      until = events.size === before ? oldest - 1 : oldest;
    }
  } finally {
    await relay.close();
  }
}

/** What each server serves too much or too little, compared with what was acknowledged anywhere. */
export async function compareEvents(
  nodes: readonly Node[],
  projects: readonly Project[],
): Promise<Difference[]> {
  const served = await Promise.all(nodes.map(servedEvents));
  const undecided = new Set(projects.flatMap((project) => project.undecidedIds()));
  return nodes.flatMap((node, index) => {
    const has = served[index]!;
    const expected = new Map(
      projects.filter(({ members }) => members.includes(node))
        .flatMap((project) => project.servedIds().map((id) => [id, project] as const)),
    );
    const missing = [...expected].filter(([id]) => !has.has(id)).map(([id, project]) => {
      const holders = nodes.filter((_, other) => served[other]!.has(id));
      const event = holders.length > 0 ? served[nodes.indexOf(holders[0]!)]!.get(id) : undefined;
      return `${node.name} lacks kind ${event?.kind ?? "?"} ${id} of ${project.coordinate}; served by ` +
        (holders.map(({ name }) => name).join(", ") || "nobody");
    });
    const extra = [...has.values()]
      .filter(({ id, kind }) => kind !== DELETION && !undecided.has(id) && !expected.has(id))
      .map(({ id, kind, tags }) => `${node.name} serves kind ${kind} ${id} in vain: ${JSON.stringify(tags)}`);
    return [...missing, ...extra].map((text) => ({ node, text }));
  });
}

/** Refs that are not those of the newest acknowledged state and its pull requests. */
export async function compareRefs(
  nodes: readonly Node[],
  projects: readonly Project[],
  directory: string,
): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const project of projects) {
    for (const node of nodes) {
      const expected = project.members.includes(node) ? project.refs() : undefined;
      // Announced and never pushed to: waits in purgatory where it was announced.
      if (expected && Object.keys(expected).length === 0) continue;
      const { code, stdout } = await tryGit(directory, "ls-remote", `${node.httpUrl()}/${project.path}`);
      const listed = code === 0 ? parseRefs(stdout) : undefined;
      if (textOf(listed) === textOf(expected)) continue;
      // A server where it still waited for data is not told of the deletion; it expires there, unserved.
      if (project.deleted && textOf(listed) === textOf({})) continue;
      differences.push({
        node,
        text: `${node.name} lists ${textOf(listed)} instead of ${textOf(expected)} for ${project.coordinate}`,
      });
    }
  }
  return differences;
}

/** Runs `git fsck` on every repository of a server; throws at the first that is damaged. Returns their number. */
export async function checkRepositories(node: Node): Promise<number> {
  const root = `${node.dataPath}/git`;
  let count = 0;
  for await (const owner of Deno.readDir(root)) {
    if (!owner.name.startsWith("npub1")) continue;
    for await (const { name } of Deno.readDir(`${root}/${owner.name}`)) {
      await git(`${root}/${owner.name}/${name}`, "fsck", "--connectivity-only", "--no-dangling");
      count++;
    }
  }
  return count;
}

function parseRefs(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line && !line.endsWith("^{}"));
  return Object.fromEntries(lines.map((line) => line.split("\t").reverse()));
}

function textOf(refs: Readonly<Record<string, string>> | undefined): string {
  return refs === undefined ? "nothing" : JSON.stringify(Object.entries(refs).sort());
}
