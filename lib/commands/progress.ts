// @ts-types="@types/cli-progress"
import cliProgress from "cli-progress";
import { stderr } from "node:process";
import { printError } from "./subcommand.ts";

/** Tells people how far a command is. */
export interface Progress {
  /** A stage of `total` steps begins; it ends the one before. 0 = nobody knows how many. */
  stage(label: string, total: number): void;
  /** `count` more steps of the stage are done. */
  advance(count?: number): void;
  /** Nothing more is to be shown. */
  done(): void;
}

/** A bar on a terminal, else one line per stage; both on stderr. */
export function showProgress(): Progress {
  return Deno.stderr.isTerminal() ? barProgress() : lineProgress(printError);
}

/** One line per stage, through `print`. */
export function lineProgress(print: (line: string) => void): Progress {
  return {
    stage: (label, total) => print(total > 0 ? `${label} (${total})` : label),
    advance() {},
    done() {},
  };
}

/** Shows nothing. */
export const noProgress: Progress = { stage() {}, advance() {}, done() {} };

function barProgress(): Progress {
  let bar: cliProgress.SingleBar | undefined;
  const done = () => {
    bar?.stop();
    bar = undefined;
  };
  return {
    stage(label, total) {
      done();
      const counts = total > 0 ? "{bar} {value}/{total}" : "{value}";
      bar = new cliProgress.SingleBar({
        stream: stderr,
        format: `${label} ${counts}`,
        clearOnComplete: false,
      });
      bar.start(total, 0);
    },
    advance: (count = 1) => bar?.increment(count),
    done,
  };
}
