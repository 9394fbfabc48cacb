/** `maintain compare`: how far the repositories here and on another server have what their states declare. */
import { allowsPrivateAddresses, PROGRAM_VERSION } from "../../config/mod.ts";
import { KIND } from "../../nostr/mod.ts";
import { createNetwork, normaliseRelayUrl } from "../../outgoing/mod.ts";
import { type DataBeside, openBeside } from "../beside.ts";
import { commandLog } from "../command_log.ts";
import { type CommandCall, configFor, print, printError } from "../subcommand.ts";
import { countEvents, inventoryOf, type RepositoryEvents } from "./events.ts";
import { refsHere, refsThere } from "./refs.ts";
import {
  type ComparedRepository,
  comparedRepository,
  type CompareReport,
  comparisonJson,
  isBehind,
  renderComparison,
} from "./report.ts";
import { eventsThere } from "./there.ts";

/** Repositories looked at together. */
const AT_ONCE = 8;

/**
 * Runs `maintain compare`. Exit code 0: nothing is missing here that the other server has; 1: something is, or the
 * comparison failed; 2: usage.
 */
export async function compare(call: CommandCall): Promise<number> {
  const other = otherServer(call.own.get("--with") ?? "");
  if (!other) {
    printError("error: --with must be the ws(s):// or http(s):// URL of another server");
    return 2;
  }
  const config = await configFor(call);
  if (typeof config === "number") return config;
  try {
    const data = await openBeside(config, call.input);
    try {
      const report = await compareWith(data, other);
      const asJson = call.own.get("--format") === "json";
      print(asJson ? comparisonJson(report) : renderComparison(report));
      return report.repositories.some(isBehind) ? 1 : 0;
    } finally {
      await data.close();
    }
  } catch (error) {
    printError(`error: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}

/** The two addresses of another server. */
interface OtherServer {
  readonly relay: string;
  readonly git: string;
}

function otherServer(text: string): OtherServer | undefined {
  if (!/^(ws|http)s?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const base = text.replace(/\/+$/, "");
  const relay = normaliseRelayUrl(base.replace(/^http/i, "ws"));
  return relay === undefined ? undefined : { relay, git: base.replace(/^ws/i, "http") };
}

async function compareWith(data: DataBeside, other: OtherServer): Promise<CompareReport> {
  const { clock, config } = data;
  const over = new AbortController();
  const network = createNetwork({
    allowPrivate: allowsPrivateAddresses(config),
    ownAddresses: [],
    clock,
    userAgent: `ngit-grasp/${PROGRAM_VERSION}`,
    log: commandLog("error"),
  });
  const here = await eventsHere(data);
  const there = await eventsThere(data, other.relay);
  const { repositories, notTaken } = inventoryOf([here, there], data.rules);
  const compared: ComparedRepository[] = [];
  for (let at = 0; at < repositories.length; at += AT_ONCE) {
    compared.push(
      ...await Promise.all(
        repositories.slice(at, at + AT_ONCE).map(async (repository) =>
          comparedRepository(
            repository,
            await refsHere(data, repository),
            await refsThere(network, clock, other.git, repository, over.signal),
          )
        ),
      ),
    );
  }
  over.abort();
  return {
    other: other.relay,
    repositories: compared,
    notTaken,
    announcements: countEvents(here.announcements, there.announcements),
    states: countEvents(here.states, there.states),
  };
}

async function eventsHere({ store }: DataBeside): Promise<RepositoryEvents> {
  return {
    announcements: await Array.fromAsync(store.eventsOfKinds([KIND.announcement])),
    states: await Array.fromAsync(store.eventsOfKinds([KIND.state])),
  };
}
