import { encodeNpub, type NostrEvent, parseAnnouncement } from "../../nostr/mod.ts";
import {
  Authority,
  candidateStates,
  classifyAnnouncement,
  type IdentifierView,
  servedAnnouncement,
  viewOf,
  waitingAnnouncement,
} from "../../policy/mod.ts";
import type { RepositoryKey } from "../../store/mod.ts";
import type { DataBeside } from "../beside.ts";
import { nameOf, refsOf, stateData } from "./git_data.ts";
import { type Facts, type Finding, type Missing, span, time } from "./report.ts";

/** Facts about an announcement (kind 30617). */
export async function announcementFacts(data: DataBeside, event: NostrEvent): Promise<Facts> {
  const parsed = parseAnnouncement(event);
  if (!parsed.ok) return { findings: [{ status: "no", topic: "form", text: parsed.text }], missing: [] };
  const { announcement } = parsed;
  const { owner, identifier } = announcement;
  const { store, rules, repositories } = data;
  const findings: Finding[] = [];
  const route = classifyAnnouncement(announcement, rules);
  switch (route.route) {
    case "host":
      findings.push({
        status: "ok",
        topic: "service",
        text: `clone and relays name ${rules.domain}: it is hosted here`,
      });
      break;
    case "archive":
      findings.push({ status: "ok", topic: "service", text: "an archive rule takes it as a read-only copy" });
      break;
    default:
      findings.push({ status: "no", topic: "service", text: route.refusal.text });
  }
  const view = viewOf(identifier, await store.readIdentifier(identifier));
  if (route.route === "notListed") findings.push(exceptionFact(view, owner));
  findings.push(versionFact(view, event, owner, data.clock.now()));
  const repository = { owner, identifier };
  const missing: Missing[] = [];
  if (await repositories.exists(repository)) {
    const read = await refsOf(data, repository);
    findings.push(read.ok ? branchesFinding(repository, read.refs) : read.finding);
  } else {
    const text = `${nameOf(repository)} has no repository on disk: once accepted it waits for its git data`;
    findings.push({ status: "no", topic: "git data", text });
  }
  const [state] = candidateStates(view, owner);
  if (state) {
    const held = await stateData(data, owner, state);
    const by = encodeNpub(state.author);
    findings.push({
      status: "note",
      topic: "state",
      text: `the newest authorised state is ${state.event.id} by ${by}`,
    });
    findings.push(held.finding);
    missing.push(...held.missing);
  } else {
    findings.push({ status: "note", topic: "state", text: "no authorised state is known for it" });
  }
  return { findings, missing };
}

function branchesFinding(repository: RepositoryKey, refs: ReadonlyMap<string, string>): Finding {
  const count = [...refs.keys()].filter((name) => /^refs\/(heads|tags)\//.test(name)).length;
  const text = count > 0
    ? `${nameOf(repository)} has ${count} branches and tags`
    : `${nameOf(repository)} has no branch or tag: the announcement is served once git data arrives`;
  return { status: count > 0 ? "ok" : "no", topic: "git data", text };
}

function exceptionFact(view: IdentifierView, owner: string): Finding {
  const trusting = new Authority(view).ownersTrusting(owner).filter((other) => other !== owner);
  return trusting.length > 0
    ? {
      status: "ok",
      topic: "maintainer",
      text: `its author maintains the repository of ${trusting.map(encodeNpub).join(", ")}`,
    }
    : { status: "no", topic: "maintainer", text: "its author maintains no repository hosted here" };
}

function versionFact(view: IdentifierView, event: NostrEvent, owner: string, now: number): Finding {
  const known = [servedAnnouncement(view, owner), waitingAnnouncement(view, owner)].find((version) =>
    version !== undefined
  );
  if (!known) return { status: "note", topic: "version", text: "no version of it is known" };
  const row = known.waiting;
  const where = row
    ? `waits in purgatory (${row.phase === "soft" ? "soft-expired" : "active"}) until ${
      time(row.deadlineAt)
    }, ${span(row.deadlineAt - now)}`
    : "is served";
  const isSame = known.announcement.event.id === event.id;
  const which = isSame ? "this version" : `version ${known.announcement.event.id}`;
  return { status: "note", topic: "version", text: `${which} ${where}` };
}
