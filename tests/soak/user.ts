import { type NostrEvent, ZERO_OID } from "../../lib/nostr/mod.ts";
import type { Dice } from "../fuzz/dice.ts";
import { git, tryGit } from "../support/git_client.ts";
import { newSigner } from "../support/keys.ts";
import type { RelayClient } from "../support/relay_client.ts";
import { wait } from "./faults.ts";
import { Project, type Tally } from "./ledger.ts";
import type { Node } from "./node.ts";
import { type Action, isFinished, nextAction } from "./plan.ts";
import type { Source } from "./source.ts";

/** An action that no server accepts for so long is a failure. */
const ACTION_DEADLINE_MS = 4 * 60_000;
const MAX_PAUSE_MS = 500;
/** git gives up a connection on which nothing moves for so long. */
const STALL = ["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=8"];

/**
 * A user with one repository after the other. Each action goes to one server at random, and to another
 * one until it is acknowledged: spreading it is the servers' business.
 */
export class User {
  readonly projects: Project[] = [];
  readonly #signer = newSigner();
  readonly #visitor = newSigner();

  constructor(
    readonly name: string,
    readonly dice: Dice,
    readonly nodes: readonly Node[],
    readonly source: Source,
    readonly tally: Tally,
  ) {}

  /** Acts until `signal` aborts; the action under way then is brought to its end. */
  async work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const project = this.#current();
      const action = nextAction(this.dice, project, this.#visitor, this.source);
      await this.#perform(project, action);
      project.age++;
      await wait(this.dice.below(MAX_PAUSE_MS), signal);
    }
  }

  #current(): Project {
    const last = this.projects.at(-1);
    if (last && !isFinished(last)) return last;
    const first = this.dice.below(this.nodes.length);
    const members = this.nodes.filter((_, index) => index !== first || this.dice.chance(50));
    const project = new Project(this.#signer, `${this.name}-${this.projects.length}`, members);
    this.projects.push(project);
    return project;
  }

  async #perform(project: Project, action: Action): Promise<void> {
    const deadline = Date.now() + ACTION_DEADLINE_MS;
    for (;;) {
      const node = this.dice.pick(project.members);
      const failure = await this.#attempt(node, project, action).catch((error) =>
        error instanceof Error ? error.message : String(error)
      );
      if (failure === undefined) return record(project, action);
      this.tally.retries++;
      if (Date.now() > deadline) {
        const what = `${action.type} of ${project.coordinate}`;
        throw new Error(
          `${what} was not accepted for ${ACTION_DEADLINE_MS / 1000} s; ${node.name}: ${failure}`,
        );
      }
      await wait(100 + this.dice.below(400));
    }
  }

  /** Tries an action on one server; returns what kept it from working. */
  async #attempt(node: Node, project: Project, action: Action): Promise<string | undefined> {
    if (!node.isUp) return "down";
    const throughProxy = this.dice.chance(30);
    const relay = await node.connect(throughProxy);
    try {
      const url = `${node.httpUrl(throughProxy)}/${project.path}`;
      switch (action.type) {
        case "push":
          return await this.#push(relay, url, project, action.state);
        case "related":
          return await this.#related(relay, url, action.related);
        default:
          return await this.#publish(relay, action.event);
      }
    } finally {
      await relay.close().catch(() => {});
    }
  }

  async #publish(relay: RelayClient, event: NostrEvent): Promise<string | undefined> {
    const { accepted, message } = await relay.publish(event);
    if (!accepted) return message;
    this.tally.events++;
  }

  async #push(
    relay: RelayClient,
    url: string,
    project: Project,
    { event, refs }: { readonly event: NostrEvent; readonly refs: Readonly<Record<string, string>> },
  ): Promise<string | undefined> {
    const refused = await this.#publish(relay, project.announcement!) ?? await this.#publish(relay, event);
    if (refused !== undefined) return refused;
    const listed = await listRefs(this.source.directory, url);
    const names = new Set([...Object.keys(listed), ...Object.keys(refs)]);
    const specs = [...names].filter((ref) => listed[ref] !== refs[ref])
      .map((ref) => `${refs[ref] ?? ""}:${ref}`);
    if (specs.length > 0) {
      const { code, stderr } = await tryGit(
        this.source.directory,
        ...STALL,
        "push",
        "--force",
        "-q",
        url,
        ...specs,
      );
      if (code !== 0) return stderr;
      this.tally.pushes++;
    }
    if (!await isServed(relay, event)) return "pushed, but the state is not served";
  }

  async #related(
    relay: RelayClient,
    url: string,
    { event, commit }: { readonly event: NostrEvent; readonly commit?: string },
  ): Promise<string | undefined> {
    const refused = await this.#publish(relay, event);
    if (refused !== undefined || commit === undefined) return refused;
    if (await isServed(relay, event)) return undefined;
    const { code, stderr } = await tryGit(
      this.source.directory,
      ...STALL,
      "push",
      "-q",
      url,
      `${commit}:refs/nostr/${event.id}`,
    );
    if (code !== 0) return stderr;
    this.tally.pushes++;
    if (!await isServed(relay, event)) return "pushed, but the pull request is not served";
  }
}

/** Keeps what has been acknowledged. */
function record(project: Project, action: Action): void {
  switch (action.type) {
    case "announce":
      project.announcement = action.event;
      break;
    case "push":
      project.state = action.state;
      break;
    case "related":
      project.related.push(action.related);
      break;
    case "delete":
      for (const id of action.ids) project.deletedIds.add(id);
      break;
    case "delete repository":
      project.deleted = action.event;
  }
}

async function isServed(relay: RelayClient, { id }: NostrEvent): Promise<boolean> {
  return (await relay.query({ ids: [id] })).length === 1;
}

/** Branches and tags at `url`. */
async function listRefs(directory: string, url: string): Promise<Record<string, string>> {
  const lines = await git(directory, ...STALL, "ls-remote", "--refs", url, "refs/heads/*", "refs/tags/*");
  const refs = lines.split("\n").filter(Boolean).map((line) => line.split("\t").reverse());
  return Object.fromEntries(refs.filter(([, oid]) => oid !== ZERO_OID));
}
