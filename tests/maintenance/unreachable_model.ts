import assert from "node:assert/strict";
import type { GitResult, GitRunOptions } from "../../lib/git/mod.ts";
import { maintainGit } from "../../lib/maintenance/mod.ts";
import { viewOf } from "../../lib/policy/mod.ts";
import { Dice } from "../fuzz/dice.ts";
import { git, tryGit } from "../support/git_client.ts";
import { announce, declare } from "../support/keys.ts";
import { DOMAIN } from "../support/engine.ts";
import { silentLog } from "../support/silent_log.ts";
import { dateFiles, letTimePass, presentIn, reachedIn, runKilled, writeLoose } from "./object_files.ts";
import { type Site, site, someone } from "./support.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const KEPT_MS = 14 * DAY_MS;
const MISSING = "1".repeat(40);
const ZERO = "0".repeat(40);
const WHO = "A <a@b> 1700000000 +0000";
const IDENTIFIER = "model";

/** How a model is played. */
export interface ModelOptions {
  readonly steps?: number;
  /** A git of before 2.37, which knows no ages of objects: then nothing unreachable ever goes. */
  readonly isOldGit?: boolean;
  readonly trace?: (line: string) => void;
}

/**
 * Plays random operations on one repository, with maintenance in between, and compares after each what
 * is there with what has to be. Throws at the first difference.
 */
export async function playModel(seed: number, options: ModelOptions = {}): Promise<{ dropped: number }> {
  let dropped = 0;
  await site(async (place) => {
    const model = new Model(place, new Dice(seed), options);
    await model.begin();
    for (let step = 0; step < (options.steps ?? 20); step++) await model.step();
    await model.end();
    dropped = model.dropped;
  });
  return { dropped };
}

/** What a run of maintenance meets: the end of the process at one of its commands, or others at work. */
interface Disturbance {
  /** Command that is killed, counted from 0, and after how long; not even begun after -1 ms. */
  readonly kill?: { readonly command: number; readonly afterMs: number };
  readonly meanwhile?: number;
  /** What the others do; anything when not given. */
  readonly change?: () => Promise<void>;
}

class Model {
  /** Objects ever made and not rightly dropped: when a ref last reached each, or it was made. */
  readonly #wanted = new Map<string, number>();
  readonly #commits: string[] = [];
  /** Ids of objects that events name, by id of event. */
  readonly #named = new Map<string, readonly string[]>();
  readonly #refs: Record<string, string> = {};
  readonly #owner = someone();
  readonly #started = Date.now();
  #order = 0;
  #made = 0;
  #clone: (() => void) | undefined;
  dropped = 0;

  constructor(
    readonly place: Site,
    readonly dice: Dice,
    readonly options: ModelOptions,
  ) {}

  get #repository() {
    return { owner: this.#owner.pubkey, identifier: IDENTIFIER };
  }

  get #path(): string {
    return this.place.repositories.path(this.#repository);
  }

  #trace(text: string): void {
    this.options.trace?.(`${(this.place.clock.now() / DAY_MS % 1000).toFixed(2)} ${text}`);
  }

  async begin(): Promise<void> {
    await this.place.submit(announce(this.#owner, IDENTIFIER, { domain: DOMAIN }));
    const first = await this.#commit();
    this.#refs["refs/heads/main"] = first;
    await this.#declare();
    const { refs } = await this.place.repositories.readRefs(this.#repository);
    assert.equal(refs.get("refs/heads/main"), first);
    await this.#look();
  }

  async step(): Promise<void> {
    const roll = this.dice.below(100);
    if (roll < 30) await this.#maintain(this.#disturbance());
    else if (roll < 48) await this.#pass();
    else if (roll < 51) await this.#packByHand();
    else if (roll < 54) this.#toggleClone();
    else if (roll < 57) await this.#expire();
    else if (roll < 68) await this.#restoreLate();
    else {
      await this.#change();
      await this.#look();
    }
  }

  /** A branch is moved back to what was unreachable for nearly long enough, for a while. */
  async #restoreLate(): Promise<void> {
    const lost = this.dice.chance(50) ? await this.#commit() : await this.#anyCommit();
    await this.#maintain(this.#disturbance());
    await this.#advance(13 * DAY_MS - this.dice.below(24) * HOUR_MS);
    const comes = async () => await this.#move({ "refs/heads/back": lost });
    const roll = this.dice.below(3);
    if (roll > 0) await comes();
    if (roll > 1) await this.#maintain(this.#disturbance());
    if (roll === 0) {
      await this.#commit(this.#anyTip());
      await this.#maintain({ meanwhile: 0, change: comes });
    }
    await this.#advance(this.dice.below(48) * HOUR_MS);
    if (this.dice.chance(50)) await this.#maintain({});
    await this.#advance(this.dice.below(24) * HOUR_MS);
    await this.#move({ "refs/heads/back": undefined });
    await this.#maintain(this.#disturbance());
  }

  #disturbance(): Disturbance {
    const roll = this.dice.below(10);
    if (roll < 2) return { kill: { command: this.dice.below(5), afterMs: this.dice.below(40) - 10 } };
    if (roll < 4) return { meanwhile: this.dice.below(4) };
    return {};
  }

  /** Something that clients and other servers do. */
  async #change(): Promise<void> {
    const roll = this.dice.below(100);
    const branch = `refs/heads/${this.dice.pick(["main", "a", "b", "c"])}`;
    const tag = `refs/tags/${this.dice.pick(["v1", "v2"])}`;
    if (roll < 25) {
      const parent = this.dice.chance(80) ? this.#refs[branch] ?? this.#anyTip() : undefined;
      await this.#move({ [branch]: await this.#commit(parent) });
    } else if (roll < 45) await this.#move({ [branch]: await this.#anyCommit() });
    else if (roll < 60) await this.#move({ [branch]: undefined });
    else if (roll < 65) await this.#move({ [tag]: await this.#tag(await this.#anyCommit()) });
    else if (roll < 68) await this.#move({ [tag]: undefined });
    else if (roll < 72) {
      await this.#move(Object.fromEntries(Object.keys(this.#refs).map((ref) => [ref, undefined])));
    } else if (roll < 80) await this.#placeholder(await this.#anyCommit());
    else if (roll < 88) await this.#commit(this.#anyTip());
    else if (roll < 94) await this.#wait(await this.#anyCommit());
    else await this.#pullRequest(this.dice.chance(50) ? await this.#anyCommit() : MISSING);
  }

  #anyTip(): string | undefined {
    const tips = Object.values(this.#refs).filter((oid) => this.#commits.includes(oid));
    return tips.length > 0 && this.dice.chance(90) ? this.dice.pick(tips) : undefined;
  }

  /** A commit that was not dropped, preferably one that no ref reaches. */
  async #anyCommit(): Promise<string> {
    const there = this.#commits.filter((oid) => this.#wanted.has(oid));
    const lost = there.filter((oid) => this.#wanted.get(oid)! < this.place.clock.now());
    if (lost.length > 0 && this.dice.chance(60)) return this.dice.pick(lost);
    return there.length > 0 ? this.dice.pick(there) : await this.#commit();
  }

  async #commit(parent?: string): Promise<string> {
    // Few different contents: trees and blobs of lost commits come up again.
    const text = this.dice.chance(30) ? `text ${this.dice.below(3)}` : `text of ${++this.#made}`;
    const blob = await this.#write("blob", text);
    const tree = await this.#write("tree", "100644 file\0", Uint8Array.fromHex(blob));
    const oid = await this.#write(
      "commit",
      `tree ${tree}\n${parent ? `parent ${parent}\n` : ""}author ${WHO}\ncommitter ${WHO}\n\n${text}\n`,
    );
    if (!this.#commits.includes(oid)) this.#commits.push(oid);
    this.#trace(`commit ${oid.slice(0, 6)} on ${parent?.slice(0, 6)}`);
    return oid;
  }

  async #tag(commit: string): Promise<string> {
    return await this.#write(
      "tag",
      `object ${commit}\ntype commit\ntag v${++this.#made}\ntagger ${WHO}\n\ntag\n`,
    );
  }

  async #write(type: string, text: string, binary?: Uint8Array): Promise<string> {
    const now = this.place.clock.now();
    const oid = await writeLoose(this.#path, now, type, text, binary);
    this.#wanted.set(oid, now);
    return oid;
  }

  /** Declares refs anew: each a new id, or none. */
  async #move(changes: Record<string, string | undefined>): Promise<void> {
    for (const [ref, oid] of Object.entries(changes)) {
      if (oid === undefined) delete this.#refs[ref];
      else this.#refs[ref] = oid;
    }
    this.#trace(`move ${JSON.stringify(changes, (_, v) => v ?? "-").replace(/[0-9a-f]{34}"/g, '"')}`);
    await this.#declare();
  }

  async #declare(): Promise<void> {
    const refs = { ...this.#refs };
    const event = declare(this.#owner, IDENTIFIER, refs, { head: "refs/heads/main", ...this.#dated() });
    this.#named.set(event.id, Object.values(refs));
    const answer = await this.place.submit(event);
    assert.ok(answer.accepted, JSON.stringify(answer));
    await this.#look();
  }

  #dated() {
    return { created_at: Math.floor(this.#started / 1000) + ++this.#order };
  }

  /** A state that waits for an object, and names one that is there. */
  async #wait(oid: string): Promise<void> {
    const refs = { "refs/heads/main": oid, "refs/heads/x": MISSING };
    const event = declare(this.#owner, IDENTIFIER, refs, this.#dated());
    this.#named.set(event.id, [oid]);
    await this.place.submit(event);
    this.#trace(`a waiting state names ${oid.slice(0, 6)}`);
  }

  async #pullRequest(commit: string): Promise<void> {
    const tags = [["a", `30617:${this.#owner.pubkey}:${IDENTIFIER}`], ["c", commit], [
      "p",
      this.#owner.pubkey,
    ]];
    const event = someone().sign({ kind: 1618, tags, ...this.#dated() });
    this.#named.set(event.id, [commit]);
    await this.place.submit(event);
    this.#trace(`a pull request names ${commit.slice(0, 6)}`);
  }

  /** A commit pushed before its event. */
  async #placeholder(oid: string): Promise<void> {
    const ref = `refs/nostr/${someone().pubkey}`;
    const commands = [{ ref, oldOid: ZERO, newOid: oid }];
    const decision = await this.place.gate.authorise(this.#repository, commands);
    assert.ok(decision.ok, JSON.stringify(decision));
    await git(this.#path, "update-ref", ref, oid);
    await this.place.gate.settle(decision.grant, commands);
    this.#trace(`placeholder for ${oid.slice(0, 6)}`);
  }

  async #expire(): Promise<void> {
    await this.place.clock.advance(31 * MINUTE_MS);
    await this.place.sweep.expire();
  }

  async #pass(): Promise<void> {
    // Often close to what decides: 14 days.
    const hours = this.dice.pick([
      this.dice.below(48),
      this.dice.below(30 * 24),
      12 * 24 + this.dice.below(3 * 24),
    ]);
    await this.#advance(hours * HOUR_MS);
  }

  async #advance(ms: number): Promise<void> {
    await this.#look();
    await this.place.clock.advance(ms);
    this.#trace(`${(ms / DAY_MS).toFixed(2)} days later`);
  }

  async #packByHand(): Promise<void> {
    await git(this.#path, "repack", "-dq", ...this.dice.pick([["--geometric=2"], ["-a", "-k"], []]));
    await this.#dateFiles();
  }

  #toggleClone(): void {
    if (this.#clone) this.#clone = this.#clone() as undefined;
    else this.#clone = this.place.repositories.use(this.#repository);
  }

  async #maintain(disturbance: Disturbance): Promise<void> {
    await this.#look();
    const real = this.place.maintenance.git;
    let commands = 0;
    let isKilled = false;
    let hasDropped = false;
    const run = async (args: readonly string[], how: GitRunOptions): Promise<GitResult> => {
      if (isKilled) throw new Error("killed");
      const isWork = ["repack", "pack-refs", "commit-graph"].includes(args[1]!);
      if (!isWork) return await real.run(args, how);
      const number = commands++;
      const { kill, meanwhile } = disturbance;
      this.#trace(`  git ${args.slice(1, 7).join(" ")}`);
      // The lock is held while refs are packed and while objects are dropped; what went is seen at the end.
      hasDropped ||= args.some((arg) => arg.includes("expiration=@"));
      const isLocked = args[1] === "pack-refs" || hasDropped;
      if (meanwhile === number && !isLocked) {
        await (disturbance.change ?? (() => this.#change()))();
        await this.#look();
      }
      if (kill?.command !== number) {
        const result = await real.run(args, how);
        await this.#dateFiles();
        return result;
      }
      isKilled = true;
      this.#trace(`  killed after ${kill.afterMs} ms`);
      if (kill.afterMs >= 0) await runKilled(args, kill.afterMs);
      await this.#dateFiles();
      throw new Error("killed");
    };
    const version = this.options.isOldGit ? { major: 2, minor: 36, text: "2.36.0" } : real.version;
    const errors: unknown[] = [];
    const log = { ...silentLog, error: (...line: unknown[]) => void errors.push(line) };
    const parts = { ...this.place.maintenance, log, git: { ...real, version, run } };
    const refs = await git(this.#path, "for-each-ref");
    // Whoever waits for the end of a clone sees time pass.
    const result = await letTimePass(maintainGit(parts), this.place.clock, this.#clone ? 2_000 : 0);
    this.#trace(`maintained ${JSON.stringify(result)}`);
    await this.#dateFiles();
    if (isKilled) await this.#restart();
    else assert.deepEqual(errors, []);
    if (disturbance.meanwhile === undefined) assert.equal(await git(this.#path, "for-each-ref"), refs);
    await this.#check(isKilled);
  }

  async #restart(): Promise<void> {
    this.#clone = this.#clone?.() as undefined;
    const cleaning = this.place.repositories.cleanAfterCrash(this.#repository);
    await letTimePass(cleaning, this.place.clock, 1_000);
  }

  async #dateFiles(): Promise<void> {
    await dateFiles(this.#path, this.#started + DAY_MS, this.place.clock.now());
  }

  /** What refs reach is wanted at this moment. */
  async #look(): Promise<void> {
    for (const oid of await reachedIn(this.#path, "--all")) this.#wanted.set(oid, this.place.clock.now());
  }

  async #namedNow(): Promise<string[]> {
    const { store } = this.place;
    const view = viewOf(IDENTIFIER, await store.readIdentifier(IDENTIFIER));
    const waiting = new Set([
      ...view.waitingStates.map(({ row }) => row.event.id),
      ...view.waitingPullRequests.map(({ row }) => row.event.id),
    ]);
    const named: string[] = [];
    for (const [id, oids] of this.#named) {
      if (waiting.has(id) || await store.has(id)) named.push(...oids);
    }
    return named;
  }

  async #check(wasKilled: boolean): Promise<void> {
    await this.#look(); // throws when what refs reach is not there
    const now = this.place.clock.now();
    const present = await presentIn(this.#path);
    const named = (await this.#namedNow()).filter((oid) => this.#wanted.has(oid));
    assert.deepEqual(named.filter((oid) => !present.has(oid)), [], "named by an event");
    if (named.length > 0) await reachedIn(this.#path, ...named);
    for (const [oid, at] of this.#wanted) {
      if (present.has(oid)) continue;
      const days = ((now - at) / DAY_MS).toFixed(2);
      assert.ok(!this.options.isOldGit, `${oid} was dropped`);
      assert.ok(now - at >= KEPT_MS, `${oid} was dropped after ${days} days`);
      this.#wanted.delete(oid);
      this.dropped++;
    }
    const fsck = await tryGit(this.#path, "fsck", "--full", "--no-dangling", "--no-progress");
    assert.equal(fsck.code, 0, `${wasKilled ? "after a kill: " : ""}${fsck.stdout}${fsck.stderr}`);
  }

  /** Everything that no ref reaches and no event names goes, sooner or later. */
  async end(): Promise<void> {
    this.#clone = this.#clone?.() as undefined;
    await this.#expire();
    await this.#move({ "refs/heads/main": await this.#commit() });
    await this.#maintain({});
    for (let round = 0; round < 2; round++) {
      await this.#look();
      await this.place.clock.advance(15 * DAY_MS);
      await this.#move({ "refs/heads/main": await this.#commit(this.#refs["refs/heads/main"]) });
      await this.#maintain({});
    }
    if (this.options.isOldGit) return;
    const kept = new Set(await reachedIn(this.#path, "--all"));
    const named = await this.#namedNow();
    if (named.some((oid) => this.#wanted.has(oid) && !kept.has(oid))) return;
    assert.deepEqual(
      [...await presentIn(this.#path)].filter((oid) => !kept.has(oid)),
      [],
      "is never dropped",
    );
  }
}
