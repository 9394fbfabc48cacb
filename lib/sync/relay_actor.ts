import type { Filter } from "../nostr/mod.ts";
import type { RelayGauges } from "../observe/mod.ts";
import { type NetworkFailure, uniform } from "../world/mod.ts";
import type { ActorContext } from "./context.ts";
import type { DialTicket } from "./dial_gate.ts";
import { Health, HEALTH_GAUGE } from "./health.ts";
import { CONNECTION_GAUGE, isLive, TRANSITIONS, type Trigger } from "./lifecycle.ts";
import { newPeerMemory } from "./fresh.ts";
import type { LinkEnd, PeerLink, PeerMemory } from "./ports.ts";
import { RelayRecord } from "./relay_record.ts";
import { Session } from "./session.ts";
import type { Target } from "./targets.ts";
import { Timer } from "./timer.ts";

/** From this record on a naughty relay is left alone until its entry expires. */
const NAUGHTY_HOLD_COUNT = 3;
const MAX_BOOTSTRAP_HOLD_MS = 3_600_000;
/** A relay the address guard refused is looked at again after this time. */
const BLOCKED_RETRY_MS = 3_600_000;
/** A deliberate close is over after this time, whatever the peer does. */
const CLOSE_DEADLINE_MS = 5_000;

/** One attempt to connect, and the connection it leads to. */
interface Attempt {
  readonly abort: AbortController;
  link: PeerLink | undefined;
  /** Set when the link ended before its opening was handled. */
  endedEarly: { readonly reason: LinkEnd; readonly text: string } | undefined;
}

/**
 * One tracked relay: dials, keeps the connection, retries, and hands the work on a connection to a
 * {@link Session}. Every step runs to its end before the next one begins, in the order of arrival;
 * whatever is waited for reports back as a step of its own and is dropped when its attempt is over.
 */
export class RelayActor {
  readonly record: RelayRecord;
  readonly health: Health;
  /** Consecutive checks at which nobody wanted this relay. */
  unwantedChecks = 0;
  readonly #context: ActorContext;
  readonly #memory = newPeerMemory();
  readonly #mailbox: (() => void)[] = [];
  readonly #retry: Timer;
  readonly #deadline: Timer;
  readonly #cooldown: Timer;
  #isRunning = false;
  #attempt: Attempt | undefined;
  #session: Session | undefined;
  #ticket: DialTicket | undefined;
  #blockedUntil = -Infinity;

  constructor(context: ActorContext, url: string, isBootstrap: boolean) {
    this.#context = context;
    this.record = new RelayRecord(url, isBootstrap);
    this.health = new Health(context.settings);
    this.#retry = new Timer(context.clock);
    this.#deadline = new Timer(context.clock);
    this.#cooldown = new Timer(context.clock);
    this.#move("register");
  }

  /** The link of the live connection. */
  get link(): PeerLink | undefined {
    return isLive(this.record.status) ? this.#attempt?.link : undefined;
  }

  /** What this relay is known to be like. */
  get memory(): Readonly<PeerMemory> {
    return this.#memory;
  }

  /** Looks whether to dial: when wanted, allowed and a slot is free, it happens at once. */
  evaluate(): void {
    this.#post(() => this.#evaluate());
  }

  /** What is wanted of this relay changed. */
  refresh(target: Target): void {
    if (this.#session) this.#post(() => this.#session?.refresh(target));
    else this.evaluate();
  }

  /** Daily reconcile; nothing happens without a live connection. */
  resync(): void {
    this.#post(() => this.#session?.resync());
  }

  /** Fetches single events; false without a live connection. */
  fetch(filters: readonly Filter[]): boolean {
    if (!this.#session) return false;
    this.#post(() => this.#session?.fetch(filters));
    return true;
  }

  /** Closes the connection, if any, and ends in removal. */
  drop(): void {
    this.#post(() => this.#drop());
  }

  /** The values metrics show. */
  gauges(): RelayGauges {
    const now = this.#context.clock.monotonic();
    return {
      relay: this.record.url,
      connection: CONNECTION_GAUGE[this.record.status],
      health: HEALTH_GAUGE[this.health.state(now)],
      failures: this.health.failures(now),
      pendingBatches: this.record.batches.size,
      subscriptions: this.link?.openSubscriptions ?? 0,
      queueDepth: this.link?.queueDepth ?? 0,
    };
  }

  #post(step: () => void): void {
    this.#mailbox.push(step);
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let next = this.#mailbox.shift(); next; next = this.#mailbox.shift()) {
      try {
        next();
      } catch (error) {
        this.#context.log.error("a step of a relay failed", { relay: this.record.url, error: String(error) });
      }
    }
    this.#isRunning = false;
    this.#context.changed(this.record);
  }

  /** Follows the table of transitions; false, and no change, for an event that is not in it. */
  #move(trigger: Trigger): boolean {
    const { record } = this;
    const to = TRANSITIONS[record.status][trigger];
    const fields = { relay: record.url, from: record.status, trigger };
    if (to === undefined) {
      this.#context.log.error("an event does not fit the status of a relay", fields);
      return false;
    }
    record.status = to;
    this.#context.log.trace("relay status", { ...fields, to });
    return true;
  }

  #evaluate(): void {
    if (this.record.status !== "Disconnected") return;
    const { clock, gate, isWanted } = this.#context;
    if (!isWanted(this.record)) {
      this.#retry.stop();
      this.#releaseTicket();
      return;
    }
    const wait = this.#dueAt() - clock.monotonic();
    if (wait > 0) {
      this.#retry.start(wait, () => this.evaluate());
      return;
    }
    const isProven = this.record.isBootstrap || this.record.epoch > 0;
    this.#ticket ??= gate.request(isProven, () => this.#post(() => this.#dial()));
  }

  /** Monotonic time from which on this relay may be dialled. */
  #dueAt(): number {
    return Math.max(this.health.dueAt, this.#blockedUntil, this.#naughtyUntil());
  }

  #naughtyUntil(): number {
    const entry = this.#context.naughty.get(this.record.url);
    if (!entry || entry.count < NAUGHTY_HOLD_COUNT) return -Infinity;
    if (!this.record.isBootstrap) return entry.expiresAt;
    return Math.min(entry.expiresAt, entry.lastSeenAt + MAX_BOOTSTRAP_HOLD_MS);
  }

  #dial(): void {
    const { clock, settings, openLink, isWanted } = this.#context;
    if (
      this.record.status !== "Disconnected" || !isWanted(this.record) || this.#dueAt() > clock.monotonic()
    ) {
      this.#releaseTicket();
      this.#evaluate();
      return;
    }
    this.#move("dial");
    this.health.attempt(clock.monotonic());
    const attempt: Attempt = { abort: new AbortController(), link: undefined, endedEarly: undefined };
    this.#attempt = attempt;
    this.#deadline.start(settings.connectTimeoutMs, () => this.#post(() => this.#timedOut(attempt)));
    const opening = openLink({
      url: this.record.url,
      trusted: this.record.isBootstrap,
      memory: this.#memory,
      signal: attempt.abort.signal,
      listener: {
        ended: (reason, text) => this.#post(() => this.#ended(attempt, reason, text)),
        rateLimited: () => this.#post(() => this.#rateLimited(attempt)),
      },
    });
    opening.then(
      (result) => this.#post(() => this.#dialled(attempt, result)),
      (error) =>
        this.#post(() => this.#dialled(attempt, { ok: false, fault: "network", text: String(error) })),
    );
  }

  #timedOut(attempt: Attempt): void {
    if (this.#attempt !== attempt || attempt.link) return;
    attempt.abort.abort();
    this.#dialFailed({ ok: false, fault: "timeout", text: "no connection in time" });
  }

  #dialled(
    attempt: Attempt,
    result: { readonly ok: true; readonly link: PeerLink } | NetworkFailure,
  ): void {
    if (this.#attempt !== attempt || this.record.status !== "Connecting") {
      if (result.ok) result.link.close();
      return;
    }
    if (result.ok) this.#opened(attempt, result.link);
    else this.#dialFailed(result);
  }

  #dialFailed(failure: NetworkFailure): void {
    const { clock, random, metrics, classify, naughty, log } = this.#context;
    const { url, isBootstrap } = this.record;
    this.#endDial();
    this.#attempt = undefined;
    if (!this.#move("dialFailed")) return;
    const now = clock.monotonic();
    this.health.failure(now, uniform(random, 0, 1));
    metrics.attempt(url, "failure");
    const category = classify(failure);
    if (category) naughty.record(url, category, failure.text);
    if (failure.fault === "blocked" && !isBootstrap) this.#blockedUntil = now + BLOCKED_RETRY_MS;
    const fields = { relay: url, fault: failure.fault, reason: failure.text };
    if (this.health.failures(now) === 1) log.info("a relay cannot be reached", fields);
    else log.debug("a relay still cannot be reached", fields);
    this.#evaluate();
  }

  #opened(attempt: Attempt, link: PeerLink): void {
    const { clock, metrics, naughty, log } = this.#context;
    const { record } = this;
    attempt.link = link;
    this.#endDial();
    if (!this.#move("opened")) return;
    const former = { lastConnected: record.lastConnected, disconnectedAt: record.disconnectedAt };
    record.epoch++;
    record.lastConnected = clock.now();
    record.disconnectedAt = undefined;
    this.health.success(clock.monotonic());
    metrics.attempt(record.url, "success");
    naughty.clear(record.url);
    log.info("connected to a relay", { relay: record.url, epoch: record.epoch });
    this.#session = new Session({
      context: this.#context,
      record,
      health: this.health,
      memory: this.#memory,
      link,
      move: (trigger) => this.#move(trigger),
      post: (step) => this.#post(step),
    });
    this.#session.start(former);
    if (attempt.endedEarly) this.#lost(attempt.endedEarly.reason, attempt.endedEarly.text);
  }

  #ended(attempt: Attempt, reason: LinkEnd, text: string): void {
    if (this.#attempt !== attempt) return;
    if (this.record.status === "Disconnecting") this.#drained();
    else if (attempt.link) this.#lost(reason, text);
    else attempt.endedEarly = { reason, text };
  }

  #lost(reason: LinkEnd, text: string): void {
    const { clock, random, naughty, log } = this.#context;
    const { record } = this;
    this.#endSession();
    this.#attempt = undefined;
    record.disconnectedAt = clock.monotonic();
    if (!this.#move("lost")) return;
    this.health.failure(clock.monotonic(), uniform(random, 0, 1));
    if (reason === "abuse") naughty.record(record.url, "protocol_error", text);
    log.info("the connection to a relay was lost", { relay: record.url, reason, text });
    this.#evaluate();
  }

  #rateLimited(attempt: Attempt): void {
    if (this.#attempt !== attempt || !isLive(this.record.status)) return;
    const { clock, log } = this.#context;
    const now = clock.monotonic();
    if (!this.health.isCoolingDown(now)) {
      log.info("a relay asked us to slow down", { relay: this.record.url });
    }
    this.health.rateLimited(now);
    this.#session?.holdBack();
    this.#cooldown.start(this.health.cooldownUntil - now, () => this.#post(() => this.#session?.resume()));
  }

  #drop(): void {
    const { record } = this;
    const attempt = this.#attempt;
    if (!TRANSITIONS[record.status].drop) return;
    this.#move("drop");
    this.#retry.stop();
    this.#endDial();
    this.health.released(this.#context.clock.monotonic());
    if (!attempt?.link) {
      attempt?.abort.abort();
      this.#drained();
      return;
    }
    this.#endSession();
    this.#deadline.start(CLOSE_DEADLINE_MS, () =>
      this.#post(() => {
        if (record.status === "Disconnecting") this.#drained();
      }));
    attempt.link.close();
  }

  #drained(): void {
    for (const timer of [this.#retry, this.#deadline, this.#cooldown]) timer.stop();
    this.#attempt?.abort.abort();
    this.#attempt = undefined;
    this.#move("drained");
    this.#context.log.debug("a relay is not followed any more", { relay: this.record.url });
    this.#context.removed(this.record);
  }

  #endSession(): void {
    const lastFrameAt = this.#attempt?.link?.lastFrameAt ?? 0;
    this.record.lastConnected = Math.max(this.record.lastConnected ?? 0, lastFrameAt);
    this.#session?.end();
    this.#session = undefined;
  }

  #endDial(): void {
    this.#deadline.stop();
    this.#releaseTicket();
  }

  #releaseTicket(): void {
    const ticket = this.#ticket;
    this.#ticket = undefined;
    ticket?.release();
  }
}
