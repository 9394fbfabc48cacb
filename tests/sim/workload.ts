import type { NostrEvent } from "../../lib/nostr/mod.ts";
import type { Commits } from "./commits.ts";
import type { Dice } from "./dice.ts";
import type { Ledger } from "./ledger.ts";
import type { Machine } from "./machine.ts";
import { announcementTags, coordinateOf, hostsOf, type Project } from "./project.ts";
import { type Draft, User } from "./user.ts";
import { EPOCH_MS, type World } from "./world.ts";

/** What users act on. */
export interface WorkloadParts {
  readonly world: World;
  readonly machines: ReadonlyMap<string, Machine>;
  readonly commits: Commits;
  readonly ledger: Ledger;
  readonly dice: Dice;
  /** Announcements go to every server they list, not to one or two. */
  readonly carefulUsers: boolean;
}

/** How often a user tries again what no server took. */
const ATTEMPTS = 6;

/** Users who announce, push, discuss and delete; everything they do follows from the seed. */
export class Workload {
  readonly projects: Project[] = [];
  readonly #parts: WorkloadParts;
  readonly #strangers: readonly User[];
  /** Last `created_at` of anybody: later versions are later, whatever the second. */
  #lastSecond = 0;

  constructor(parts: WorkloadParts) {
    this.#parts = parts;
    this.#strangers = [1, 2, 3].map(() => new User(parts.dice));
  }

  /** Somebody starts a repository on some of the servers, announces it and pushes a first commit. */
  async startProject(): Promise<void> {
    const { dice, machines } = this.#parts;
    const hosts = [...machines.keys()];
    const owner = new User(dice);
    const helpers = Array.from({ length: dice.pick([0, 0, 1, 2]) }, () => new User(dice));
    const listed = dice.some(hosts, dice.between(Math.min(2, hosts.length), Math.min(4, hosts.length)));
    const project: Project = {
      identifier: `p${this.projects.length}-${dice.hex(6)}`,
      owner,
      announcers: [{ user: owner, hosts: listed, maintainers: helpers }],
      committers: [owner, ...helpers],
      branches: new Map(),
      issues: [],
      pullRequests: [],
      comments: [],
      deleted: false,
    };
    this.projects.push(project);
    await this.#announce(project, project.announcers[0]!);
    for (const user of helpers) {
      if (!dice.chance(0.6)) continue;
      const others = dice.some(hosts, dice.between(1, Math.min(3, hosts.length)));
      const announcer = { user, hosts: others, maintainers: dice.chance(0.7) ? [owner] : [] };
      project.announcers.push(announcer);
      await this.#announce(project, announcer);
    }
    await this.commit(project);
  }

  /** One of the committers adds a commit: state first, then the push. */
  async commit(project: Project): Promise<void> {
    const { dice, commits } = this.#parts;
    const author = dice.pick(project.committers);
    const branch = dice.chance(0.75) ? "refs/heads/main" : `refs/heads/b${dice.below(3)}`;
    const parent = project.branches.get(branch) ?? project.branches.get("refs/heads/main");
    project.branches.set(branch, commits.create(parent ? [parent] : []));
    const [, dropped] = [...project.branches.keys()];
    if (dropped !== undefined && dropped !== branch && dropped !== "refs/heads/main" && dice.chance(0.2)) {
      project.branches.delete(dropped);
    }
    const refs = new Map(project.branches);
    const state = this.#sign(author, {
      kind: 30618,
      tags: [["d", project.identifier], ...refs, ["HEAD", "ref: refs/heads/main"]],
    });
    const hosts = await this.#publish(state, hostsOf(project), dice.between(1, 2));
    await this.#upload(project, hosts, refs);
  }

  /** A stranger opens an issue. */
  async openIssue(project: Project): Promise<void> {
    const issue = this.#sign(this.#parts.dice.pick(this.#strangers), {
      kind: 1621,
      tags: [["a", coordinateOf(project)], ["p", project.owner.pubkey], ["subject", "it breaks"]],
      content: this.#parts.dice.hex(16),
    });
    if ((await this.#publish(issue, hostsOf(project), 1)).length > 0) project.issues.push(issue);
  }

  /** Somebody comments on an issue (NIP-22); some clients name the repository as well. */
  async comment(project: Project): Promise<void> {
    const { dice } = this.#parts;
    if (project.issues.length === 0) return;
    const issue = dice.pick(project.issues);
    const comment = this.#sign(dice.pick([...this.#strangers, project.owner]), {
      kind: 1111,
      tags: [
        ["E", issue.id],
        ["K", "1621"],
        ["P", issue.pubkey],
        ["e", issue.id],
        ["k", "1621"],
        ["p", issue.pubkey],
        ...(dice.chance(0.3) ? [["q", coordinateOf(project)]] : []),
      ],
      content: dice.hex(16),
    });
    if ((await this.#publish(comment, hostsOf(project), 1)).length > 0) project.comments.push(comment);
  }

  /** A stranger proposes a change: the event and its commit, in either order. */
  async openPullRequest(project: Project): Promise<void> {
    const { dice, commits } = this.#parts;
    const base = project.branches.get("refs/heads/main");
    const tip = commits.create(base ? [base] : []);
    const author = dice.pick(this.#strangers);
    const request = this.#sign(author, {
      kind: 1618,
      tags: [
        ["a", coordinateOf(project)],
        ["p", project.owner.pubkey],
        ["subject", "better"],
        ["c", tip],
        ["clone", `https://elsewhere.example/${dice.hex(8)}.git`],
      ],
    });
    const refs = new Map([[`refs/nostr/${request.id}`, tip]]);
    const listed = project.announcers[0]!.hosts;
    const upload = () => this.#upload(project, dice.some(listed, 2), refs, project.announcers.slice(0, 1));
    if (dice.chance(0.5)) await upload();
    const hosts = await this.#publish(request, listed, 1);
    if (hosts.length > 0) {
      project.pullRequests.push(request);
      await this.#upload(project, hosts, refs, project.announcers.slice(0, 1));
    }
  }

  /** An author takes back an issue, a comment or a pull request (NIP-09). */
  async deleteSomething(project: Project): Promise<void> {
    const { dice } = this.#parts;
    const target = dice.pick([...project.issues, ...project.comments, ...project.pullRequests, undefined]);
    const author = [...this.#strangers, project.owner].find(({ pubkey }) => pubkey === target?.pubkey);
    if (!target || !author) return;
    const request = this.#sign(author, { kind: 5, tags: [["e", target.id], ["k", String(target.kind)]] });
    await this.#publish(request, hostsOf(project), dice.between(1, 2));
  }

  /** The owner takes the whole repository back. */
  async deleteProject(project: Project): Promise<void> {
    project.deleted = true;
    const request = this.#sign(project.owner, {
      kind: 5,
      tags: [["a", coordinateOf(project)], ["k", "30617"]],
    });
    await this.#publish(request, project.announcers[0]!.hosts, this.#parts.dice.between(1, 2));
  }

  /** An announcer publishes a new version that lists one more server. */
  async moveProject(project: Project): Promise<void> {
    const { dice, machines } = this.#parts;
    const announcer = dice.pick(project.announcers);
    announcer.hosts = [...new Set([...announcer.hosts, dice.pick([...machines.keys()])])];
    await this.#announce(project, announcer);
  }

  /** An announcer takes the repository away from one of its servers. */
  async leaveServer(project: Project): Promise<void> {
    const announcer = this.#parts.dice.pick(project.announcers);
    if (announcer.hosts.length < 2) return;
    const left = this.#parts.dice.pick(announcer.hosts);
    announcer.hosts = announcer.hosts.filter((host) => host !== left);
    await this.#announce(project, announcer);
  }

  async #announce({ identifier }: Project, announcer: Project["announcers"][number]): Promise<void> {
    const { user, hosts, maintainers } = announcer;
    const event = this.#sign(user, {
      kind: 30617,
      tags: announcementTags(identifier, user.npub, hosts, maintainers),
    });
    const { dice, carefulUsers } = this.#parts;
    await this.#publish(event, hosts, carefulUsers ? hosts.length : dice.between(1, 2));
  }

  #sign(author: User, draft: Omit<Draft, "created_at">): NostrEvent {
    const now = Math.floor((EPOCH_MS + this.#parts.world.elapsed) / 1000);
    this.#lastSecond = Math.max(now, this.#lastSecond + 1);
    return author.sign({ ...draft, created_at: this.#lastSecond });
  }

  /** Sends an event to `count` servers (more when some refuse); returns those that accepted it. */
  async #publish(event: NostrEvent, hosts: readonly string[], count: number): Promise<string[]> {
    const { world, dice, machines, ledger } = this.#parts;
    const accepted: string[] = [];
    for (let attempt = 0; attempt < ATTEMPTS && accepted.length === 0; attempt++) {
      for (const host of dice.some(hosts, hosts.length)) {
        if (accepted.length >= count) break;
        const machine = machines.get(host)!;
        if (!machine.isUp) continue;
        const answer = await machine.submit(event);
        ledger.noteEvent(
          event,
          host,
          answer ? "accepted" : answer === undefined ? "unknown" : "refused",
          world.elapsed,
        );
        if (answer) accepted.push(host);
        await world.pause(dice.between(10, 500));
      }
      if (accepted.length === 0) await world.pause(dice.between(5_000, 60_000));
    }
    return accepted;
  }

  /** Pushes to the repository of some announcer on one of `hosts`, until one of them takes it. */
  async #upload(
    project: Project,
    hosts: readonly string[],
    refs: ReadonlyMap<string, string>,
    announcers: Project["announcers"] = project.announcers,
  ): Promise<void> {
    const { world, dice, machines, ledger } = this.#parts;
    for (let attempt = 0; attempt < ATTEMPTS && hosts.length > 0; attempt++) {
      await world.pause(dice.between(200, attempt === 0 ? 20_000 : 60_000));
      const host = dice.pick(hosts);
      const machine = machines.get(host)!;
      const owners = announcers.filter((announcer) => announcer.hosts.includes(host));
      if (!machine.isUp || owners.length === 0) continue;
      const owner = dice.pick(owners).user.pubkey;
      const accepted = await machine.push({ owner, identifier: project.identifier }, refs);
      if (accepted === false) continue;
      const push = { host, identifier: project.identifier, oids: [...refs.values()] };
      ledger.notePush({ ...push, acknowledged: accepted === true });
      if (accepted) return;
    }
  }
}
