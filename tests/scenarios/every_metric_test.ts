import { deepStrictEqual, ok } from "node:assert/strict";
import { createMetrics } from "../../lib/observe/mod.ts";
import type { RunningServer } from "../../lib/server.ts";
import { seriesOf } from "../observe/exposition.ts";
import { REFERENCE } from "../observe/reference.ts";
import { DOMAIN, type Engine, engine } from "../support/engine.ts";
import { fixture } from "../outgoing/support.ts";
import { announceOn } from "../support/announce_on.ts";
import { commitFile, git, newWorkTree, refsOf, tryGit } from "../support/git_client.ts";
import { JumpingClock } from "../support/jumping_clock.ts";
import { declare, newSigner, type Signer } from "../support/keys.ts";
import { RelayClient } from "../support/relay_client.ts";
import { withServerHere } from "../support/server_here.ts";
import { silentLog } from "../support/silent_log.ts";
import { withTempDirectory } from "../support/temp.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DEADLINE_MS = 60_000;
const OID = "1".repeat(40);

/** Metrics that need another stage, or a moment these stages may miss: a test that has it, and what it says there. */
const ELSEWHERE: Readonly<Record<string, readonly [file: string, text: string]>> = {
  ngit_config_reload_total: ["commands/reload_test.ts", "ngit_config_reload_total"],
  ngit_repo_fsck_failures: ["commands/maintain_test.ts", "ngit_repo_fsck_failures 1"],
  ngit_sync_consolidations_total: ["sync/strategy_test.ts", "consolidation done"],
  ngit_sync_dropped_frames_total: ["sync_wire/peer_test.ts", "dropped ${reason}"],
  // Ids asked for although held: a count that has to stay 0.
  ngit_sync_negentropy_redundant_ids_total: ["sync_wire/negotiation_test.ts", "counts.redundant"],
  ngit_sync_pending_batches: ["sync/metrics_test.ts", "ngit_sync_pending_batches"],
  ngit_sync_queue_depth: ["sync/metrics_test.ts", "ngit_sync_queue_depth"],
  ngit_sync_stalled_subscriptions_total: ["sync_scenarios/silence_test.ts", "stalled"],
};

/** Samples of a registry nobody reported to. */
async function untouched(): Promise<ReadonlyMap<string, number>> {
  const { render } = createMetrics({
    version: "",
    commit: "",
    clock: new JumpingClock(),
    topRepos: 0,
    abuseThreshold: 0,
    log: silentLog,
  });
  return seriesOf((await render()).body);
}

/** Collects the names of metrics that have been seen with another value than an untouched one. */
class Moved {
  readonly names = new Set<string>();
  readonly #initial: ReadonlyMap<string, number>;

  constructor(initial: ReadonlyMap<string, number>) {
    this.#initial = initial;
  }

  /** Looks at the metrics of a server; a rendering is shared for a second. */
  async look({ url }: RunningServer, clock: JumpingClock): Promise<void> {
    clock.jump(1_001);
    this.add(seriesOf(await (await fetch(`${url}/metrics`)).text()));
  }

  add(series: ReadonlyMap<string, number>): void {
    for (const [sample, value] of series) {
      if (value === (this.#initial.get(sample) ?? 0)) continue;
      const name = sample.replace(/\{.*$/s, "");
      this.names.add(name);
      this.names.add(name.replace(/_(?:bucket|sum|count)$/, ""));
    }
  }
}

/** A server of this process and what tests do with it. */
interface Stage {
  readonly directory: string;
  readonly server: RunningServer;
  readonly clock: JumpingClock;
  readonly relay: RelayClient;
  look(): Promise<void>;
  /** Looks until all of these metrics have moved. */
  until(...names: readonly string[]): Promise<void>;
}

async function stage(
  env: Record<string, string>,
  moved: Moved,
  play: (stage: Stage) => Promise<void>,
): Promise<void> {
  await withTempDirectory(async (directory) => {
    const clock = new JumpingClock();
    const fast = { NGIT_TEST: "1", NGIT_SHUTDOWN_TIMEOUT_SECS: "2", ...env };
    await withServerHere({ directory, clock, env: fast }, async (server) => {
      const relay = await RelayClient.connect(server.url.replace("http", "ws"));
      try {
        const look = () => moved.look(server, clock);
        const until = async (...names: readonly string[]) => {
          const deadline = Date.now() + DEADLINE_MS;
          for (;;) {
            await look();
            const still = names.filter((name) => !moved.names.has(name));
            if (still.length === 0) return;
            ok(Date.now() < deadline, `not moved: ${still}`);
            await new Promise((resolve) => setTimeout(resolve, 100));
          }
        };
        await play({ directory, server, clock, relay, look, until });
      } finally {
        await relay.close();
      }
    });
  });
}

Deno.test("every metric of the catalogue is moved by what servers do", async () => {
  const moved = new Moved(await untouched());
  await stage(CLIENTS, moved, clients);
  await stage({}, moved, (followed) =>
    stage(
      {
        NGIT_SYNC_BOOTSTRAP_RELAY_URL: `ws://${followed.server.domain}`,
        NGIT_SYNC_GIT_MAX_PER_MINUTE_PER_HOST: "1",
      },
      moved,
      (follower) => follows(followed, follower),
    ));
  await engine((world) => faults(world, moved));
  const names = REFERENCE.map(([name]) => name);
  deepStrictEqual(names.filter((name) => !moved.names.has(name) && !(name in ELSEWHERE)), []);
  for (const [name, [file, text]] of Object.entries(ELSEWHERE)) {
    ok(names.includes(name), name);
    const source = await Deno.readTextFile(new URL(`../${file}`, import.meta.url));
    ok(source.includes(text), `${file} moves ${name}`);
  }
});

const CLIENTS = {
  NGIT_GRASP06_ENABLE: "true",
  NGIT_MAX_GIT_PROCESSES: "1",
  NGIT_METRICS_CONNECTION_PER_IP_ABUSE_THRESHOLD: "2",
};

/** Users of one server: announce, push, clone, overdo it, and give up. */
async function clients({ directory, server, clock, relay, look, until }: Stage): Promise<void> {
  const owner = newSigner();
  const work = await newWorkTree(`${directory}/work`);
  const { domain, url } = server;
  const say = async (event: Parameters<RelayClient["publish"]>[0], expected: RegExp) => {
    const { message } = await relay.publish(event);
    ok(expected.test(message), message);
  };
  // Waiting, replaced.
  const base = Math.floor(Date.now() / 1000) - 100;
  const announced = (age: number) => announceOn(owner, "repo", [domain], { created_at: base + age });
  const declared = (age: number, refs: Readonly<Record<string, string>>) =>
    declare(owner, "repo", refs, { head: "refs/heads/main", created_at: base + age });
  await say(announced(1), /^purgatory/);
  await say(announced(2), /^purgatory/);
  // A push nothing allows, one that is allowed, a clone.
  const repository = `${url}/${owner.npub}/repo.git`;
  ok((await tryGit(work, "push", repository, "main")).code !== 0);
  await say(declared(1, await refsOf(work)), /^purgatory/);
  await git(work, "push", "-q", repository, "main");
  await git(directory, "clone", "-q", repository, `${directory}/clone`);
  // A pull request without its commit, offered twice.
  const request = newSigner().sign({
    kind: 1618,
    tags: [["a", `30617:${owner.pubkey}:repo`], ["c", OID], ["clone", "http://127.0.0.1:1/x.git"]],
  });
  await say(request, /^purgatory/);
  await say(request, /^duplicate/);
  // Contributor, subscription, second connection, a handshake that is none, too many events.
  const id = "ab".repeat(32);
  const contributor = newSigner();
  await git(work, "push", "-q", `${url}/prs/${contributor.npub}/repo.git`, `main:refs/nostr/${id}`);
  await relay.subscribe({ kinds: [30617] });
  const second = await RelayClient.connect(url.replace("http", "ws"));
  await look();
  await second.close();
  await (await fetch(url, { headers: { connection: "upgrade", upgrade: "websocket" } })).body?.cancel();
  const flood = await RelayClient.connect(url.replace("http", "ws"));
  await Promise.all(
    Array.from({ length: 80 }, (_, n) => flood.publish(owner.sign({ kind: 1, content: `${n}` }))),
  );
  await flood.close();
  await look();
  // A push that stalls holds the only process, and a clone unlike the one before waits for it.
  await commitFile(work, "more", "more\n");
  await say(declared(2, await refsOf(work)), /^purgatory/);
  const [from, to] = [await git(work, "rev-parse", "main~1"), await git(work, "rev-parse", "main")];
  const stalled = stall(repository, from, to);
  const clone = tryGit(directory, "clone", "-q", "--filter=tree:0", repository, `${directory}/second`);
  clock.jump(11_000);
  await until("ngit_git_processes_active", "ngit_git_queue_depth", "ngit_purgatory_dirty_repositories");
  stalled.abort();
  await clone;
  await look();
  // Withdrawn, expired, revived.
  const gone = declared(3, { "refs/heads/main": OID });
  await say(gone, /^purgatory/);
  await say(owner.sign({ kind: 5, tags: [["e", gone.id]] }), /^$/);
  const late = announceOn(owner, "late", [domain]);
  await say(late, /^purgatory/);
  clock.jump(HOUR);
  await until("ngit_purgatory_expired_total", "ngit_purgatory_repositories_deleted_total");
  await say(late, /^purgatory/);
  // A repository that lost its objects, asked for what no earlier answer can be given for.
  await Deno.remove(`${server.gitDataPath}/${owner.npub}/repo.git/objects/pack`, { recursive: true });
  await tryGit(directory, "clone", "-q", "--depth=1", repository, `${directory}/broken`);
  await until("ngit_purgatory_revived_total", "ngit_git_process_failures_total");
}

/** One server that follows another: history, refusals reconsidered, peers and hosts at fault. */
async function follows(followed: Stage, { server, relay, clock, until }: Stage): Promise<void> {
  const at = [followed.server.domain, server.domain];
  const work = await newWorkTree(`${followed.directory}/followed`);
  const host = async (owner: Signer, identifier: string, domains = at) => {
    await followed.relay.publish(announceOn(owner, identifier, domains));
    await followed.relay.publish(
      declare(owner, identifier, await refsOf(work), { head: "refs/heads/main" }),
    );
    await git(work, "push", "-q", `${followed.server.url}/${owner.npub}/${identifier}.git`, "main");
  };
  const owner = newSigner();
  await host(owner, "one");
  await until("ngit_purgatory_fetched_objects_total");
  await followed.relay.publish(owner.sign({ kind: 1621, tags: [["a", `30617:${owner.pubkey}:one`]] }));
  await until("ngit_sync_events_synced_total");
  // A second fetch from the same host within the minute has to wait.
  await host(newSigner(), "two");
  await until("ngit_purgatory_hosts_throttled");
  // A maintainer's announcement is refused until the owner's is known; later only its id is left.
  const refused = async (identifier: string) => {
    const maintainer = newSigner();
    await host(maintainer, identifier, [followed.server.domain]);
    return maintainer.pubkey;
  };
  const accept = (identifier: string, maintainer: string) =>
    relay.publish(announceOn(newSigner(), identifier, at, { maintainers: [maintainer] }));
  const soon = await refused("soon");
  await until("ngit_sync_rejected_hot_cache_current", "ngit_sync_rejected_cold_index_current");
  await accept("soon", soon);
  await until("ngit_sync_rejected_hot_cache_hits_total", "ngit_sync_rejected_invalidated_total");
  await refused("never");
  const late = await refused("late");
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  clock.jump(5 * MINUTE);
  await until("ngit_sync_rejected_hot_cache_expired_total");
  await accept("late", late);
  await until("ngit_sync_rejected_hot_cache_misses_total");
  // A relay that is none, a relay nobody listens at, a git server with a certificate nobody vouches for.
  const local = { hostname: "127.0.0.1", port: 0, onListen() {} };
  const wrong = Deno.serve(local, () => new Response("hello"));
  const tls = { cert: fixture("self_signed.pem"), key: fixture("key.pem") };
  const unproven = Deno.serve({ ...local, ...tls }, () => new Response("hello"));
  try {
    const answers = `localhost:${wrong.addr.port}`;
    const closed = "localhost:1";
    const misled = newSigner();
    await relay.publish(announceOn(misled, "misled", [server.domain, answers, closed], {
      cloneUrls: ["ssh://git@localhost/misled.git", `https://127.0.0.1:${unproven.addr.port}/misled.git`],
    }));
    await relay.publish(declare(misled, "misled", { "refs/heads/main": OID }));
    // What a user announced here is left to their push for some minutes.
    clock.jump(5 * MINUTE);
    await until(
      "ngit_sync_relay_failures",
      "ngit_sync_naughty_relay_info",
      "ngit_git_naughty_hosts",
      "ngit_purgatory_urls_skipped_total",
    );
    clock.jump(25 * HOUR);
    await until("ngit_sync_relays_dead_total");
    const orphan = `${server.gitDataPath}/${newSigner().npub}/orphan.git`;
    await git(followed.directory, "init", "-q", "--bare", orphan);
    clock.jump(8 * 24 * HOUR);
    // The next turn of a job that a jump finds at work is a day after its end.
    const days = setInterval(() => clock.jump(25 * HOUR), 2_000);
    await until("ngit_sync_rejected_cold_index_expired_total", "ngit_cleanup_candidates")
      .finally(() => clearInterval(days));
  } finally {
    await Promise.all([wrong.shutdown(), unproven.shutdown()]);
  }
}

/** What needs a database that fails, or an event another relay still has. */
async function faults(world: Engine, moved: Moved): Promise<void> {
  const owner = newSigner();
  const work = await newWorkTree(`${world.directory}/work`);
  const announcement = announceOn(owner, "repo", [DOMAIN]);
  const state = declare(owner, "repo", await refsOf(work));
  await world.submit(announcement);
  await world.submit(state);
  const commit = world.store.commit.bind(world.store);
  world.store.commit = (changes) =>
    changes.insertEvents?.length ? Promise.reject(new Error("disk I/O error")) : commit(changes);
  await world.push(work, owner.pubkey, "repo", ["refs/heads/main"]).catch(() => {});
  world.store.commit = commit;
  const unpushed = declare(owner, "repo", { "refs/heads/main": OID }, { created_at: state.created_at + 1 });
  await world.submit(unpushed);
  world.clock.jump(HOUR);
  await world.sweep.expire();
  await world.sync(unpushed);
  moved.add(seriesOf((await world.metrics.render()).body));
}

/** A push whose pack never comes, until it is aborted. */
function stall(repository: string, from: string, to: string): AbortController {
  const aborting = new AbortController();
  const line = `${from} ${to} refs/heads/main\0report-status`;
  const head = `${(line.length + 4).toString(16).padStart(4, "0")}${line}0000PACK`;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(head)),
  });
  void fetch(`${repository}/git-receive-pack`, {
    method: "POST",
    headers: { "content-type": "application/x-git-receive-pack-request" },
    body,
    signal: aborting.signal,
  }).catch(() => {});
  return aborting;
}
