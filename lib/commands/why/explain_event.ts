import type { AdmitAnswer } from "../../intake/mod.ts";
import { addressIdentifier, isPullRequest, type NostrEvent } from "../../nostr/mod.ts";
import { viewOf } from "../../policy/mod.ts";
import { contributionRef } from "../../purgatory/mod.ts";
import type { Changes, IdTraces } from "../../store/mod.ts";
import type { DataBeside } from "../beside.ts";
import { factsOf, subjectLine } from "./facts.ts";
import { nameOf } from "./git_data.ts";
import { rehearse } from "./rehearsal.ts";
import { type Finding, span, time, type WhyReport } from "./report.ts";
import type { Origin, Subject } from "./subject.ts";

/** Explains one event: what the server would answer to it, and the facts behind that. */
export async function explainEvent(
  data: DataBeside,
  { value, event, origin }: Subject & { type: "event" },
): Promise<WhyReport> {
  const { answer, changes } = await rehearse(data, value);
  if (!event) {
    return {
      subject: "a value that is no event",
      ok: false,
      verdict: "it would be refused",
      message: answer.message,
      findings: [{ status: "no", topic: "form", text: "its fields are not those of an event (NIP-01)" }],
      missing: [],
    };
  }
  const { findings, missing } = await factsOf(data, event);
  const traces = await data.store.traces(event.id);
  const isHere = origin === "served" || origin === "waiting";
  const memory = memoryFacts(isHere ? { ...traces, retired: undefined } : traces, data.clock.now());
  const waits = origin === "waiting" ? await waitingRow(data, event) : heldUntil(changes, event.id);
  return {
    subject: subjectLine(event),
    id: event.id,
    kind: event.kind,
    ok: answer.accepted,
    verdict: verdictOf(origin, answer),
    ...(answer.message !== "" && { message: answer.message }),
    findings: [...findings, ...memory],
    missing: origin === "served" ? [] : missing,
    ...(waits && { waits }),
  };
}

/** Explains an id of which the event itself is not known. */
export function explainTrace(
  { id, traces, placeholder }: Subject & { type: "trace" },
  now: number,
): WhyReport {
  const subject = `event ${id}`;
  const findings = memoryFacts(traces, now);
  if (placeholder) {
    const { commit, scope, repositories, firstEnteredAt, deadlineAt } = placeholder;
    const places = [...repositories, ...(scope ? [contributionRef(scope)] : [])].map(nameOf).join(", ");
    const pushed: Finding = { status: "ok", topic: "push", text: `commit ${commit} was pushed to ${places}` };
    return {
      subject,
      id,
      ok: false,
      verdict: "its commits were pushed, but the event itself was not published here",
      findings: [pushed, ...findings],
      missing: [],
      waits: { since: firstEnteredAt, until: deadlineAt },
    };
  }
  const verdict = findings.length === 0
    ? "this server knows nothing of this id: it was never offered, or was refused to a client"
    : "it is not served, and only its id is remembered";
  return { subject, id, ok: false, verdict, findings, missing: [] };
}

function verdictOf(origin: Origin, { accepted, result }: AdmitAnswer): string {
  if (origin === "served") return "it is served";
  if (origin === "waiting") {
    return accepted
      ? "it waits in purgatory and is served once its git data arrives"
      : "it waits in purgatory, but sent again it would be refused";
  }
  const again = origin === "refused" ? "refused when another relay offered it; " : "";
  switch (result) {
    case "saved":
      return `${again}sent by a client it would be accepted and served`;
    case "purgatory":
      return `${again}sent by a client it would be accepted and wait in purgatory for its git data`;
    case "duplicate":
      return `${again}sent by a client it would change nothing`;
    default:
      return `${again}sent by a client it would be refused`;
  }
}

async function waitingRow(data: DataBeside, event: NostrEvent) {
  const { store } = data;
  const identifier = addressIdentifier(event) ?? "";
  const view = viewOf(identifier, await store.readIdentifier(identifier));
  const row = isPullRequest(event.kind)
    ? await store.waitingPullRequest(event.id)
    : [...view.waitingStates, ...view.announcements].map((known) =>
      "row" in known ? known.row : known.waiting
    )
      .find((candidate) => candidate?.event.id === event.id);
  return row && { since: row.firstEnteredAt, until: row.deadlineAt };
}

/** How long the server would keep it waiting. */
function heldUntil(changes: readonly Changes[], id: string): { until: number } | undefined {
  const rows = changes.flatMap(({ putAnnouncements = [], putStates = [], putPullRequests = [] }) => [
    ...putAnnouncements,
    ...putStates,
    ...putPullRequests,
  ]);
  const row = rows.findLast(({ event }) => event.id === id);
  return row && { until: row.deadlineAt };
}

function memoryFacts(traces: IdTraces, now: number): Finding[] {
  const { refused, goneUntil, expired, deletionAskedBy, retired } = traces;
  const facts: [topic: string, text: string][] = [];
  if (refused) {
    const times = refused.attempts === 1 ? "once" : `${refused.attempts} times`;
    facts.push([
      "refused",
      `offered by another relay and refused ${
        span(refused.at - now)
      } (${refused.reason}), judged again ${times}; ` +
      `forgotten ${span(refused.until - now)}`,
    ]);
  }
  if (goneUntil !== undefined) {
    facts.push(["refused", `superseded, deleted or blocked: not fetched again until ${time(goneUntil)}`]);
  }
  if (expired) {
    const text = `left purgatory without its git data ${
      span(expired.at - now)
    }; other relays' copies are refused until `;
    facts.push(["expired", text + time(expired.until)]);
  }
  if (deletionAskedBy.length > 0) {
    facts.push(["deletion", `its deletion was asked for by ${deletionAskedBy.join(", ")}`]);
  }
  if (retired) {
    facts.push([
      "retired",
      `held back with its repository since ${time(retired.retiredAt)} (${retired.reason})`,
    ]);
  }
  return facts.map(([topic, text]) => ({ status: "note", topic, text }));
}
