import { deepStrictEqual } from "node:assert/strict";
import { ZERO_OID } from "../../lib/nostr/mod.ts";
import type { Dice } from "../fuzz/dice.ts";
import { refsOf, tryGit } from "../support/git_client.ts";
import type { RelayClient } from "../support/relay_client.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { stockGit, type WireClient } from "../support/wire_client.ts";
import { libgit2 } from "../support/wire_libgit2.ts";
import { type Action, type EventAction, Project, type SentState } from "./ledger.ts";
import { duringPush, isFinished, type Names, nextAction, oidsOf } from "./plan.ts";

/** In how many of a hundred cases an answer is followed by clones. */
const CLONES_PERCENT = 20;

/** One life of the server, from ready to killed. */
export interface Life {
  readonly server: ServerProcess;
  /** True from just before the kill: whatever fails from then on was never answered. */
  killed: boolean;
}

/** What the clients share. */
export interface Setting extends Names {
  /** The repository everybody pushes from. */
  readonly source: string;
  /** A directory below which clones may be made. */
  readonly clones: string;
}

/** A user who makes one repository after another, and repeats what was not answered. */
export class Client {
  readonly projects: Project[] = [];
  /** Answers received so far. */
  answers = 0;
  readonly #dice: Dice;
  readonly #name: string;
  readonly #setting: Setting;

  constructor(name: string, dice: Dice, setting: Setting) {
    this.#name = name;
    this.#dice = dice;
    this.#setting = setting;
  }

  /** Works until the server is killed. Throws when a living server answers something wrong. */
  async work(life: Life, relay: RelayClient): Promise<void> {
    while (!life.killed) {
      const project = this.#current();
      const action = nextAction(this.#dice, project, this.#setting);
      project.touched = true;
      try {
        if (action.type === "event") await this.#publish(project, action, relay);
        else await this.#pushBesideEvents(project, action.state, life.server, relay);
      } catch (error) {
        if (life.killed && !(error instanceof BrokenPromise)) return;
        throw new Error(`${project.identifier} of ${project.owner.npub}, ${describe(action)}`, {
          cause: error,
        });
      }
      project.pending = undefined;
      this.answers++;
      if (this.#dice.chance(CLONES_PERCENT)) await this.#clone(project, life);
    }
  }

  #current(): Project {
    const last = this.projects.at(-1);
    if (last && !isFinished(last)) return last;
    const project = new Project(`${this.#name}-${this.projects.length}`);
    this.projects.push(project);
    return project;
  }

  async #publish(project: Project, { sent, expected }: EventAction, relay: RelayClient) {
    const { accepted, message } = await relay.publish(sent.event);
    if (!accepted) throw new BrokenPromise(`refused: ${message}`);
    const wrong = project.acknowledge(sent, message);
    if (wrong) throw new BrokenPromise(wrong);
    if (sent.promised !== expected) throw new BrokenPromise(`expected ${expected}, got "${message}"`);
  }

  async #pushBesideEvents(project: Project, state: SentState, server: ServerProcess, relay: RelayClient) {
    const event = duringPush(this.#dice, project, this.#setting);
    const results = await Promise.allSettled([
      this.#push(project, state, server, relay),
      event && this.#publish(project, event, relay),
    ]);
    const reasons = results.flatMap((result) => result.status === "rejected" ? [result.reason] : []);
    if (reasons.length > 0) throw reasons.find((reason) => reason instanceof BrokenPromise) ?? reasons[0];
  }

  /** Whoever clones gets the refs of the served state, whole, unless the server is killed meanwhile. */
  async #clone({ owner, identifier, states }: Project, life: Life): Promise<void> {
    const state = states.at(-1);
    if (state?.promised !== "served") return;
    const { clones, commits } = this.#setting;
    const target = `${clones}/${identifier}`;
    // The second one is what a kept pack answers.
    for (let rest = 1 + this.#dice.below(2); rest > 0; rest--) {
      const url = life.server.cloneUrl(owner.npub, identifier);
      const { code, stderr } = await tryGit(".", "clone", "-q", "--bare", url, target);
      if (code !== 0 && life.killed) return;
      if (code !== 0) throw new BrokenPromise(`a clone of ${identifier} of ${owner.npub} fails: ${stderr}`);
      deepStrictEqual(await refsOf(target), oidsOf(state.refs, commits));
      await Deno.remove(target, { recursive: true });
    }
  }

  /** Pushes what differs from the listing, as ngit and git do. */
  async #push(project: Project, state: SentState, server: ServerProcess, relay: RelayClient): Promise<void> {
    const { source, commits } = this.#setting;
    const client: WireClient = this.#dice.chance(70) ? libgit2 : stockGit(0);
    const url = server.cloneUrl(project.owner.npub, project.identifier);
    const listed = (await libgit2.list(source, url)).refs;
    const wanted = oidsOf(state.refs, commits);
    const names = new Set([...Object.keys(listed), ...Object.keys(wanted)].filter((ref) => ref !== "HEAD"));
    const updates = [...names].filter((ref) => listed[ref] !== wanted[ref])
      .map((ref) => ({ ref, newOid: wanted[ref] ?? ZERO_OID }));
    if (updates.length > 0) {
      const report = await client.push(source, url, updates);
      const failed = report.filter((line) => line !== "unpack ok" && !line.startsWith("ok "));
      if (failed.length > 0) throw new Error(`push by ${client.name}: ${failed.join("; ")}`);
    } else if ((await relay.query({ ids: [state.event.id] })).length === 0) {
      throw new BrokenPromise("its refs are here, but the state is not served");
    }
    project.pushed(state);
  }
}

/** An answer that breaks an earlier promise: wrong even when the server died right after it. */
class BrokenPromise extends Error {}

function describe(action: Action): string {
  const { kind, id } = action.type === "event" ? action.sent.event : action.state.event;
  return `${action.type === "push" ? "push for " : ""}kind ${kind} ${id}`;
}
