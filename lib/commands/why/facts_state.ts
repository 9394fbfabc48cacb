import { compareNewestFirst, encodeNpub, type NostrEvent, parseState, type State } from "../../nostr/mod.ts";
import { Authority, hostedOwners, type IdentifierView, untracksRefs, viewOf } from "../../policy/mod.ts";
import type { DataBeside } from "../beside.ts";
import { stateData } from "./git_data.ts";
import type { Facts, Finding, Missing } from "./report.ts";

/** Facts about a state (kind 30618). */
export async function stateFacts(data: DataBeside, event: NostrEvent): Promise<Facts> {
  const parsed = parseState(event);
  if (!parsed.ok) return { findings: [{ status: "no", topic: "form", text: parsed.text }], missing: [] };
  const { state } = parsed;
  const view = viewOf(state.identifier, await data.store.readIdentifier(state.identifier));
  const findings = [...formFacts(state), authorityFact(view, state), ...versionFacts(view, state)];
  const anchors = hostedOwners(view);
  const owners = new Authority(view).ownersTrusting(state.author).filter((owner) => anchors.has(owner));
  const missing: Missing[] = [];
  for (const owner of state.refs.size > 0 ? owners : []) {
    const held = await stateData(data, owner, state);
    findings.push(held.finding);
    missing.push(...held.missing);
  }
  return { findings, missing };
}

function formFacts(state: State): Finding[] {
  if (state.unsatisfiable !== undefined) {
    const text = `it can never be met: it has ${state.unsatisfiable}`;
    return [{ status: "no", topic: "refs", text }];
  }
  const text = untracksRefs(state)
    ? "it declares no refs: its author tracks no state here"
    : `it declares ${state.refs.size} refs${state.head ? `, HEAD ${state.head}` : ""}`;
  return [{ status: "ok", topic: "refs", text }];
}

function authorityFact(view: IdentifierView, state: State): Finding {
  const topic = "authority";
  if (view.announcements.length === 0) {
    return { status: "no", topic, text: "no announcement of this identifier is served or waiting here" };
  }
  const anchors = hostedOwners(view);
  const trusting = new Authority(view).ownersTrusting(state.author);
  const hosted = trusting.filter((owner) => anchors.has(owner));
  if (hosted.length > 0) {
    return {
      status: "ok",
      topic,
      text: `its author may speak for the repository of ${hosted.map(encodeNpub).join(", ")}`,
    };
  }
  const owners = [...anchors].map(encodeNpub).join(", ") || "nobody";
  const text = `its author is in no maintainer set; this identifier is hosted here for ${owners}`;
  return { status: "no", topic, text };
}

function versionFacts(view: IdentifierView, state: State): Finding[] {
  const others = [...view.storedStates, ...view.waitingStates.map((waiting) => waiting.state)]
    .filter((other) => other.author === state.author && other.event.id !== state.event.id);
  const newer = others.filter((other) => compareNewestFirst(other.event, state.event) < 0);
  return newer.length === 0
    ? [{ status: "ok", topic: "version", text: "no newer state of its author is known" }]
    : [{ status: "no", topic: "version", text: `its author has a newer state: ${newer[0]!.event.id}` }];
}
