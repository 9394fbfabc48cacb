import { encodeNpub, type Refusal, ZERO_OID } from "../../nostr/mod.ts";
import {
  Authority,
  candidateStates,
  decidePush,
  type IdentifierView,
  operatorRefusal,
  type RefCommand,
  servedAnnouncement,
  viewOf,
  waitingAnnouncement,
} from "../../policy/mod.ts";
import type { RepositoryKey, RetiredRepository } from "../../store/mod.ts";
import type { DataBeside } from "../beside.ts";
import { nameOf, refsOf, stateData } from "./git_data.ts";
import { type Finding, span, time, type WhyReport } from "./report.ts";

/** Most ref changes listed; the rest is in the state. */
const MAX_CHANGES = 20;

/** Explains what may be pushed to a repository, and which state says so. */
export async function explainRepository(data: DataBeside, repository: RepositoryKey): Promise<WhyReport> {
  const { owner, identifier } = repository;
  const { store, clock, repositories, rules } = data;
  const now = clock.now();
  const view = viewOf(identifier, await store.readIdentifier(identifier));
  const [state] = candidateStates(view, owner);
  const exists = await repositories.exists(repository);
  const read = exists
    ? await refsOf(data, repository)
    : { ok: true as const, refs: new Map<string, string>() };
  if (!read.ok) {
    return {
      subject: `repository ${nameOf(repository)}`,
      ok: false,
      verdict: "a push would fail",
      findings: [announcementFinding(view, owner, now), read.finding],
      missing: [],
    };
  }
  const { refs } = read;
  const wanted = state ? changesTo(refs, state.refs, state.symbolic) : [ANY_PUSH];
  const present = exists && state
    ? new Set((await repositories.present(repository, new Set(state.refs.values()))).keys())
    : new Set<string>();
  const push = decidePush({
    view,
    owner,
    commands: wanted,
    present,
    rules,
    pullRequests: new Map(),
    placeholdersFull: false,
    now,
  });
  const isHere = servedAnnouncement(view, owner) ?? waitingAnnouncement(view, owner);
  // Of one that came back, records of events that hung on it are left until their retention ends.
  const retired = isHere ? undefined : await store.lastRetired(owner, identifier);
  const findings = [
    ...operatorFindings(operatorRefusal(repository, rules), retired),
    announcementFinding(view, owner, now),
    maintainersFinding(view, owner),
    ...stateFindings(view, owner, now),
  ];
  const held = state && exists ? await stateData(data, owner, state) : undefined;
  if (!exists) findings.push({ status: "no", topic: "git data", text: "there is no repository on disk" });
  if (held) findings.push(held.finding);
  if (state && push.ok) {
    findings.push(...wanted.slice(0, MAX_CHANGES).map(changeFinding));
    const more = wanted.length - MAX_CHANGES;
    if (more > 0) {
      findings.push({ status: "note", topic: "push", text: `and ${more} more, as the state declares` });
    }
  }
  return {
    subject: `repository ${nameOf(repository)}`,
    ok: push.ok,
    verdict: push.ok ? pushSentence(wanted.length) : "a push would be refused",
    ...(!push.ok && { message: push.text }),
    findings,
    missing: held?.missing ?? [],
  };
}

/** Stands for whatever somebody may want to push while no state is known. */
const ANY_PUSH: RefCommand = { ref: "refs/heads/main", oldOid: ZERO_OID, newOid: "f".repeat(40) };

function pushSentence(changes: number): string {
  if (changes === 0) {
    return "branches and tags are those of the authorised state: publish a newer state before pushing more";
  }
  const these = changes === 1 ? "this change" : `these ${changes} changes together`;
  return `a push that makes ${these} would be accepted`;
}

/** The ref changes that make branches and tags equal to a state. */
function changesTo(
  refs: ReadonlyMap<string, string>,
  wanted: ReadonlyMap<string, string>,
  symbolic: ReadonlySet<string>,
): RefCommand[] {
  const own = [...refs].filter(([ref]) => /^refs\/(heads|tags)\//.test(ref) && !symbolic.has(ref));
  return [
    ...[...wanted].filter(([ref, oid]) => refs.get(ref) !== oid)
      .map(([ref, newOid]) => ({ ref, oldOid: refs.get(ref) ?? ZERO_OID, newOid })),
    ...own.filter(([ref]) => !wanted.has(ref)).map(([ref, oldOid]) => ({ ref, oldOid, newOid: ZERO_OID })),
  ];
}

function changeFinding({ ref, oldOid, newOid }: RefCommand): Finding {
  const text = newOid === ZERO_OID
    ? `${ref} is deleted`
    : oldOid === ZERO_OID
    ? `${ref} is created at ${newOid}`
    : `${ref} moves from ${oldOid} to ${newOid}`;
  return { status: "note", topic: "push", text };
}

/** What the operator has against it, and what is held back of it. */
function operatorFindings(refusal: Refusal | undefined, retired: RetiredRepository | undefined): Finding[] {
  const findings: Finding[] = [];
  if (refusal) {
    const list = refusal.reason === "blacklisted_author"
      ? "NGIT_EVENT_BLACKLIST"
      : "NGIT_REPOSITORY_BLACKLIST";
    findings.push({ status: "no", topic: "operator", text: `${refusal.text} (${list})` });
  }
  if (retired) {
    const text = `retired ${time(retired.retiredAt)} (${retired.reason}); its data and events are held back`;
    findings.push({ status: "note", topic: "retired", text });
  }
  return findings;
}

function announcementFinding(view: IdentifierView, owner: string, now: number): Finding {
  const topic = "announcement";
  const served = servedAnnouncement(view, owner);
  const row = waitingAnnouncement(view, owner)?.waiting;
  if (row) {
    const phase = row.phase === "soft" ? "soft-expired" : "waiting for git data";
    const text = `${row.event.id} is ${phase} until ${time(row.deadlineAt)}, ${span(row.deadlineAt - now)}`;
    return { status: "ok", topic, text };
  }
  if (!served) return { status: "no", topic, text: "its owner has no announcement here" };
  return served.hosted ? { status: "ok", topic, text: `${served.announcement.event.id} is served` } : {
    status: "no",
    topic,
    text: "served as a maintainer's only: its owner's repository is not hosted here",
  };
}

function maintainersFinding(view: IdentifierView, owner: string): Finding {
  const members = [...new Authority(view).of(owner) ?? []];
  const text = members.length === 0
    ? "nobody may declare its state"
    : `its state may be declared by ${members.map(encodeNpub).join(", ")}`;
  return { status: members.length === 0 ? "no" : "ok", topic: "maintainers", text };
}

function stateFindings(view: IdentifierView, owner: string, now: number): Finding[] {
  const candidates = candidateStates(view, owner);
  if (candidates.length === 0) {
    return [{ status: "no", topic: "state", text: "no maintainer has declared a state that is known here" }];
  }
  return candidates.map((state): Finding => {
    const row = view.waitingStates.find((waiting) => waiting.state === state)?.row;
    const where = row ? `waits until ${time(row.deadlineAt)}, ${span(row.deadlineAt - now)}` : "is served";
    const by = encodeNpub(state.author);
    const text = `${state.event.id} by ${by} with ${state.refs.size} refs ${where}`;
    return { status: "ok", topic: "state", text };
  });
}
