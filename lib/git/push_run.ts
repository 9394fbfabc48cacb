import { ZERO_OID } from "../nostr/mod.ts";
import type { GitChild, GitExit } from "./git_process.ts";
import { type GitHttpContext, IdleWatch } from "./http_context.ts";
import { joinBytes } from "./pkt_line.ts";
import { encodePushCommands, isBothZero, type ParsedPush, type RefCommand } from "./push_commands.ts";
import type { PushGrant } from "./push_gate.ts";
import type { PushOutput } from "./push_output.ts";
import { addToReport, refusalBody, refusalPrefix, reportLines, wantsReport } from "./push_report.ts";
import type { BodyReader } from "./received_body.ts";
import { ReceiveOutput } from "./receive_output.ts";
import type { RepositoryRef } from "./repository_ref.ts";
import { pump } from "./request_body.ts";
import { errorText } from "./upload_pack.ts";

/** Longest time a finished report waits for the push to be settled. */
const HOLD_MS = 30_000;
/** Between signs of life while it waits. */
const KEEP_ALIVE_MS = 5_000;

/** One receive-pack child from its start to the settled push. Goes on when the client leaves. */
export class PushRun {
  readonly #context: GitHttpContext;
  readonly #ref: RepositoryRef;
  readonly #push: ParsedPush;
  readonly #grant: PushGrant;
  readonly #output: PushOutput;
  readonly #received: ReceiveOutput;
  readonly #child: GitChild;
  /** What git was told to do: the authorised list, byte for byte our own encoding of it. */
  readonly #commands: readonly RefCommand[];
  #timedOut = false;

  /** Starts git. Throws when it cannot be started. */
  constructor(
    context: GitHttpContext,
    ref: RepositoryRef,
    push: ParsedPush,
    grant: PushGrant,
    output: PushOutput,
  ) {
    this.#context = context;
    this.#ref = ref;
    this.#push = push;
    this.#grant = grant;
    this.#output = output;
    this.#commands = push.commands.filter((command) => !isBothZero(command));
    this.#received = new ReceiveOutput(output, push.capabilities, context.repositories.knownPaths(ref));
    const { maxPackBytes } = grant;
    this.#child = context.git.spawn([
      ...(maxPackBytes === undefined ? [] : ["-c", `receive.maxInputSize=${maxPackBytes}`]),
      "receive-pack",
      "--stateless-rpc",
      context.repositories.path(ref),
    ], { signal: context.stopping.signal });
  }

  /**
   * Feeds git, reads its answer, settles; `quietMs` is how long a body that git no longer reads may be silent.
   * Never rejects; the output is closed in every case.
   */
  async finish(
    body: BodyReader,
    quietMs: number,
    leave: () => void,
  ): Promise<"success" | "error"> {
    const { clock, limits, log } = this.#context;
    const watch = new IdleWatch(clock, limits.gitTimeoutMs, () => {
      this.#timedOut = true;
      this.#child.kill();
    });
    const head = joinBytes([encodePushCommands(this.#push, this.#commands), this.#push.rest]);
    const input = pump(head, body, this.#child.stdin, { clock, quietMs, onProgress: () => watch.touch() });
    const read = new AbortController();
    void input.then(() => this.#keepAlive(read.signal));
    let applied: readonly RefCommand[] = [];
    try {
      await this.#readOutput(() => watch.touch());
      read.abort();
      const exit = await this.#child.ended;
      watch.stop();
      leave();
      this.#countFailure(exit);
      applied = await this.#verdict();
      if (exit.code !== 0) await this.#context.repositories.cleanLeftovers(this.#ref, 1);
      await this.#settle(applied);
      this.#report(exit, applied);
    } catch (error) {
      log.error("finishing a push failed", { error: this.#context.clean(String(error), this.#ref) });
    } finally {
      read.abort();
      watch.stop();
      leave();
      await input;
      this.#output.close();
    }
    if (applied.length > 0) void this.#context.views.renew(this.#context.repositories.path(this.#ref));
    return applied.length > 0 ? "success" : "error";
  }

  /**
   * Signs of life once everything has been received: git itself is silent until its indexer has read
   * the pack, and clients give up after 15 seconds without a byte.
   */
  async #keepAlive(read: AbortSignal): Promise<void> {
    while (!read.aborted) {
      await this.#context.clock.sleep(KEEP_ALIVE_MS, read);
      if (!read.aborted) this.#received.keepAlive();
    }
  }

  async #readOutput(onProgress: () => void): Promise<void> {
    const reader = this.#child.stdout.getReader();
    while (true) {
      const value = (await reader.read().catch(() => undefined))?.value;
      if (value === undefined) break;
      onProgress();
      if (!this.#received.push(value)) this.#child.kill();
    }
    this.#received.flushText();
  }

  /** Exit codes say nothing here: git leaves with 0 when refs were refused. The refs themselves decide. */
  async #verdict(): Promise<readonly RefCommand[]> {
    try {
      const { refs } = await this.#context.repositories.readRefs(this.#ref);
      return appliedCommands(refs, this.#commands);
    } catch (error) {
      this.#context.log.error("the refs after a push could not be read", {
        error: this.#context.clean(String(error), this.#ref),
      });
      return [];
    }
  }

  async #settle(applied: readonly RefCommand[]): Promise<void> {
    if (applied.length === 0) await abandon(this.#context, this.#grant);
    else await settleWithin(this.#context, this.#grant, applied, () => this.#received.keepAlive());
  }

  #report(exit: GitExit, applied: readonly RefCommand[]): void {
    const report = this.#received.report();
    if (report !== undefined) {
      const skipped = this.#push.commands.filter(isBothZero);
      this.#received.send(wantsReport(this.#push.capabilities) ? addToReport(report, skipped) : report);
    } else if (applied.length > 0) this.#received.send(this.#ownReport(applied));
    else if (exit.code !== 0) this.#refuse(exit);
  }

  /** Git died between applying and reporting: the refs tell what to report. */
  #ownReport(applied: readonly RefCommand[]): Uint8Array {
    if (!wantsReport(this.#push.capabilities)) return new Uint8Array();
    return reportLines(
      this.#push.commands.map((command) =>
        applied.includes(command) || isBothZero(command)
          ? `ok ${command.ref}\n`
          : `ng ${command.ref} failed to update ref\n`
      ),
    );
  }

  #refuse(exit: GitExit): void {
    const prefix = refusalPrefix(this.#ref);
    const text = exit.signal === undefined
      ? errorText(this.#context, this.#ref, this.#child.stderr())
      : `${prefix}internal error, try again`;
    this.#output.write(refusalBody({ ...this.#push, text, reasons: new Map(), prefix }));
  }

  #countFailure({ code, signal }: GitExit): void {
    if (this.#timedOut) this.#context.metrics.processFailure("timeout");
    else if (signal !== undefined) this.#context.metrics.processFailure("killed");
    else if (code !== 0) this.#context.metrics.processFailure("exit");
  }
}

/** The commands whose effect can be seen in `refs`. */
export function appliedCommands(
  refs: ReadonlyMap<string, string>,
  commands: readonly RefCommand[],
): RefCommand[] {
  return commands.filter(({ ref, newOid }) =>
    newOid === ZERO_OID ? !refs.has(ref) : refs.get(ref) === newOid
  );
}

/**
 * Tells the gate what was applied and waits for it, at most 30 s; after that the work goes on
 * without the client. `keepAlive` is called every 5 s meanwhile. Never rejects.
 */
export async function settleWithin(
  context: GitHttpContext,
  grant: PushGrant,
  applied: readonly RefCommand[],
  keepAlive: () => void,
): Promise<void> {
  const over = new AbortController();
  const settled = context.gate.settle(grant, applied).catch((error) =>
    context.log.error("settling a push failed", { error: context.clean(String(error), grant.repository) })
  ).finally(() => over.abort());
  context.track(settled);
  const until = context.clock.now() + HOLD_MS;
  while (!over.signal.aborted && context.clock.now() < until) {
    await context.clock.sleep(KEEP_ALIVE_MS, over.signal);
    if (!over.signal.aborted) keepAlive();
  }
  // The request ends before its push: the use the gate counts as its own lasts as long as the work.
  if (!over.signal.aborted) context.track(settled.finally(context.repositories.use(grant.repository)));
}

/** Tells the gate that nothing happened. Never rejects. */
export async function abandon(context: GitHttpContext, grant: PushGrant): Promise<void> {
  await context.gate.abandon(grant).catch((error) =>
    context.log.error("abandoning a push failed", { error: context.clean(String(error), grant.repository) })
  );
}
