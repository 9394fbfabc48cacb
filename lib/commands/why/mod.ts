/** `why`: what this server makes of an event or a repository, told without changing anything. */
import { type DataBeside, openBeside } from "../beside.ts";
import { type CommandCall, configFor, print, printError } from "../subcommand.ts";
import { explainEvent, explainTrace } from "./explain_event.ts";
import { explainRepository } from "./explain_repository.ts";
import { renderReport, reportJson, type WhyReport } from "./report.ts";
import { subjectOf } from "./subject.ts";

/**
 * Runs `why`. Exit code 0: accepted, waiting or served, or a push is possible; 1: refused or unknown, or
 * the data cannot be read; 2: usage.
 */
export async function why(call: CommandCall): Promise<number> {
  const config = await configFor(call);
  if (typeof config === "number") return config;
  try {
    const data = await openBeside(config, call.input);
    try {
      const report = await explain(data, call.words[0] ?? "-");
      const asJson = call.own.get("--format") === "json";
      print(asJson ? reportJson(report) : renderReport(report, data.clock.now()));
      return report.ok ? 0 : 1;
    } finally {
      await data.close();
    }
  } catch (error) {
    printError(`error: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}

/** Answers for one word of the command line. Rejects with one sentence when it names nothing. */
export async function explain(data: DataBeside, word: string): Promise<WhyReport> {
  const subject = await subjectOf(word, data.store);
  switch (subject.type) {
    case "event":
      return await explainEvent(data, subject);
    case "trace":
      return explainTrace(subject, data.clock.now());
    case "repository":
      return await explainRepository(data, subject.repository);
  }
}
