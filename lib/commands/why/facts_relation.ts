import { KIND, type NostrEvent } from "../../nostr/mod.ts";
import type { DataBeside } from "../beside.ts";
import type { Finding } from "./report.ts";

/** Whether something served names the event, or is named by it. */
export async function relationFact({ store, config }: DataBeside, event: NostrEvent): Promise<Finding> {
  if (event.kind === KIND.graspList && config.openGraspLists) {
    return {
      status: "ok",
      topic: "relation",
      text: "GRASP lists are taken from anyone (NGIT_OPEN_GRASP_LISTS)",
    };
  }
  return await store.isRelated(event)
    ? {
      status: "ok",
      topic: "relation",
      text: "it names something served here, or something served names it",
    }
    : { status: "no", topic: "relation", text: "it names nothing served here, and nothing served names it" };
}
