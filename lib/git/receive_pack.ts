import type { GitHttpContext } from "./http_context.ts";
import { encodePkt } from "./pkt_line.ts";
import { isBothZero, type ParsedPush, parsePushCommands, type RefCommand } from "./push_commands.ts";
import type { PushDecision, PushGrant } from "./push_gate.ts";
import { PushOutput } from "./push_output.ts";
import { type PushRefusal, refusalBody, refusalPrefix, successBody } from "./push_report.ts";
import { abandon, appliedCommands, PushRun, settleWithin } from "./push_run.ts";
import { BodyError, type BodyReader } from "./received_body.ts";
import type { RepositoryRef } from "./repository_ref.ts";
import { drain, openBody, patience } from "./request_body.ts";
import { gitResponse, internalError, plainResponse, tooBusy } from "./response.ts";

const RESULT_TYPE = "application/x-git-receive-pack-result";

/** A push request being answered. */
interface Push {
  readonly context: GitHttpContext;
  readonly ref: RepositoryRef;
  readonly body: BodyReader;
  /** How long the rest of a body that nobody wants may be silent, in milliseconds. */
  readonly quietMs: number;
  readonly startedAt: number;
  /** Ends the use of the repository. */
  readonly release: () => void;
  readonly client: string | undefined;
  readonly tally: Tally;
  /** How reasons of ours begin. */
  readonly prefix: string;
}

/** Traffic of one push. A contributor's repository may be an invented name until the push is allowed. */
class Tally {
  #isKnown: boolean;
  #early = 0;

  constructor(readonly context: GitHttpContext, readonly ref: RepositoryRef) {
    this.#isKnown = ref.space !== "prs";
  }

  add(direction: "in" | "out", count: number): void {
    if (this.#isKnown) this.context.metrics.bytes(direction, count, this.ref);
    else if (direction === "in") this.#early += count;
  }

  /** The repository is there. */
  begin(): void {
    this.#isKnown = true;
    if (this.#early > 0) this.context.metrics.bytes("in", this.#early, this.ref);
    this.#early = 0;
  }
}

/** Answers `POST …/git-receive-pack` (git-http 2). `release` is called when the push no longer uses the repository. */
export async function receivePack(
  context: GitHttpContext,
  ref: RepositoryRef,
  request: Request,
  release: () => void,
  client?: string,
): Promise<Response> {
  const tally = new Tally(context, ref);
  const body = openBody(request, context.pushBody(ref, (count) => tally.add("in", count)));
  if (body instanceof Response) {
    release();
    return body;
  }
  const push: Push = {
    context,
    ref,
    body,
    quietMs: patience(request),
    startedAt: context.clock.now(),
    release,
    client,
    tally,
    prefix: refusalPrefix(ref),
  };
  let owned = false;
  try {
    const parsed = await parsePushCommands(body);
    if (parsed.kind !== "push") return withoutCommands(push, parsed);
    const decision = await decide(push, parsed);
    context.metrics.authorization(decision.ok ? "allowed" : "denied");
    if (!decision.ok) {
      count(push, "denied");
      return answerAndDrain(push, refusalBody({ ...decision, ...parsed, prefix: push.prefix }));
    }
    owned = true;
    tally.begin();
    return await granted(push, parsed, decision.grant);
  } catch (error) {
    if (error instanceof BodyError) return error.toResponse();
    context.log.error("a push request failed", { error: context.clean(String(error), ref) });
    await body.cancel().catch(() => {});
    return internalError();
  } finally {
    if (!owned) release();
  }
}

function withoutCommands(
  push: Push,
  parsed: Exclude<Awaited<ReturnType<typeof parsePushCommands>>, ParsedPush>,
): Response {
  switch (parsed.kind) {
    case "probe":
      return gitResponse(RESULT_TYPE, null);
    case "empty-body":
      return plainResponse(400, "Git error: empty request body");
    case "malformed":
      return answerAndDrain(push, new TextEncoder().encode(`Git error: ${parsed.text}\n`), parsed.status);
    case "refused": {
      count(push, "denied");
      const text = push.prefix + parsed.text;
      const hasCommands = parsed.commands.length > 0;
      const refusal: PushRefusal = { ...parsed, text, reasons: new Map(), prefix: push.prefix };
      if (hasCommands) push.context.metrics.authorization("denied");
      return answerAndDrain(push, hasCommands ? refusalBody(refusal) : encodeError(push, parsed));
    }
  }
}

/** Nothing to report on: as text in whatever form the client reads. */
function encodeError(
  { prefix }: Push,
  parsed: { readonly text: string; readonly capabilities: ReadonlySet<string> },
): Uint8Array {
  if (parsed.capabilities.size === 0) return encodePkt(`ERR ${parsed.text}\n`);
  return refusalBody({ ...parsed, text: prefix + parsed.text, commands: [], reasons: new Map(), prefix });
}

async function decide(push: Push, parsed: ParsedPush): Promise<PushDecision> {
  const effective = parsed.commands.filter((command) => !isBothZero(command));
  try {
    const asked = effective.length > 0 ? effective : parsed.commands;
    return await push.context.gate.authorise(push.ref, asked, push.client);
  } catch (error) {
    push.context.log.error("authorising a push failed", {
      error: push.context.clean(String(error), push.ref),
    });
    return { ok: false, text: `${push.prefix}internal error, try again`, reasons: new Map() };
  }
}

async function granted(push: Push, parsed: ParsedPush, grant: PushGrant): Promise<Response> {
  const { context, ref } = push;
  const commands = parsed.commands.filter((command) => !isBothZero(command));
  const failed = async (response: Response) => {
    await abandon(context, grant);
    await push.body.cancel().catch(() => {});
    push.release();
    return response;
  };
  const refs = await context.repositories.readRefs(ref).catch(() => undefined);
  if (!refs) return await failed(internalError());
  if (appliedCommands(refs.refs, commands).length === commands.length) {
    return await answerNoOp(push, parsed, commands, grant);
  }
  const leave = await context.places.enter();
  if (!leave) return await failed(tooBusy());
  const output = new PushOutput((bytes) => context.metrics.bytes("out", bytes, ref));
  let run: PushRun;
  try {
    run = new PushRun(context, ref, parsed, grant, output);
  } catch {
    leave();
    context.metrics.processFailure("spawn");
    return await failed(internalError());
  }
  context.track(
    run.finish(push.body, push.quietMs, leave).then((status) => count(push, status)).finally(push.release),
  );
  await output.started;
  return gitResponse(RESULT_TYPE, output.stream);
}

/** Every ref already is what the client wants: no git, but the gate still hears of it (git-http 2.10). */
async function answerNoOp(
  push: Push,
  parsed: ParsedPush,
  applied: readonly RefCommand[],
  grant: PushGrant,
): Promise<Response> {
  const { context } = push;
  try {
    if (!await drain(push.body, context.clock)) {
      await abandon(context, grant);
      return new BodyError("gone").toResponse();
    }
    if (applied.length > 0) await settleWithin(context, grant, applied, () => {});
    else await abandon(context, grant);
    count(push, "success");
    return gitResponse(RESULT_TYPE, successBody(parsed.commands, parsed.capabilities));
  } finally {
    push.release();
  }
}

/** The whole answer at once; it ends only when the body is read, so that the client gets to see it. */
function answerAndDrain(push: Push, answer: Uint8Array, status = 200): Response {
  const output = new PushOutput((bytes) => push.tally.add("out", bytes));
  output.write(answer);
  drain(push.body, push.context.clock, push.quietMs).then(() => output.close());
  if (status !== 200) {
    const response = plainResponse(status, "");
    return new Response(output.stream as BodyInit, { status, headers: response.headers });
  }
  return gitResponse(RESULT_TYPE, output.stream);
}

function count(push: Push, status: "success" | "error" | "denied"): void {
  push.context.metrics.operation("push", status, (push.context.clock.now() - push.startedAt) / 1000);
}
