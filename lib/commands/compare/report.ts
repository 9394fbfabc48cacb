import { asciiLine, encodeNpub, quoted } from "../../nostr/mod.ts";
import { CATEGORIES, type Category, categoryOf, numberOf } from "./categories.ts";
import type { countEvents, KnownRepository } from "./events.ts";
import type { Refs } from "./refs.ts";

/** One repository on both servers. */
export interface ComparedRepository {
  readonly owner: string;
  readonly identifier: string;
  /** Id of the state that governs it; undefined when none is known. */
  readonly state: string | undefined;
  /** Number of refs it declares. */
  readonly declared: number;
  readonly here: { readonly category: Category; readonly matching: number };
  readonly there: { readonly category: Category; readonly matching: number };
}

/** The answer of `compare`. */
export interface CompareReport {
  readonly other: string;
  readonly repositories: readonly ComparedRepository[];
  readonly notTaken: number;
  readonly announcements: ReturnType<typeof countEvents>;
  readonly states: ReturnType<typeof countEvents>;
}

/** Compares one repository, given its refs on both sides. */
export function comparedRepository(
  { owner, identifier, state }: KnownRepository,
  here: Refs,
  there: Refs,
): ComparedRepository {
  return {
    owner,
    identifier,
    state: state?.event.id,
    declared: state?.refs.size ?? 0,
    here: categoryOf(state, here),
    there: categoryOf(state, there),
  };
}

/** A repository of which the other server has more than this one, or of which that is not known. */
export function isBehind({ here, there }: ComparedRepository): boolean {
  if (here.category === "unknown" || there.category === "unknown") return true;
  if (here.category === "all" || here.category === there.category && here.matching >= there.matching) {
    return false;
  }
  return RANK[here.category] < RANK[there.category] || here.matching < there.matching;
}

const RANK: Readonly<Record<Category, number>> = { all: 3, some: 2, other: 1, none: 0, unknown: 0 };

/** Most repositories listed on a terminal; JSON has all. */
const MAX_LISTED = 100;

/** The report for a terminal. */
export function renderComparison(report: CompareReport): string {
  const { repositories, other, notTaken } = report;
  const different = repositories.filter(({ here, there }) =>
    here.category !== "all" || there.category !== "all"
  );
  const behind = repositories.filter(isBehind).length;
  const lines = [
    `${repositories.length} repositories, here and on ${other}`,
    "",
    ...table(repositories),
    "",
    "1 all refs of the latest state, 2 none, 3 some, 4 data that does not match, ? could not be read",
    ...(different.length > 0 ? ["", "here there  refs  repository"] : []),
    ...different.slice(0, MAX_LISTED).map((repository) => {
      const { here, there, declared, owner, identifier } = repository;
      const mark = isBehind(repository) ? "!" : " ";
      const counts = `${here.matching}/${there.matching} of ${declared}`;
      return `${mark} ${numberOf(here.category)}    ${numberOf(there.category)}   ${counts}  ${
        encodeNpub(owner)
      }/${quoted(identifier)}`;
    }),
    ...(different.length > MAX_LISTED ? [`  and ${different.length - MAX_LISTED} more (--format json)`] : []),
    "",
    countLine("announcements", report.announcements),
    countLine("states", report.states),
    ...(notTaken > 0 ? [`${notTaken} announcements are neither hosted nor archived by the rules here`] : []),
    behind === 0
      ? "nothing is missing here that the other server has"
      : `${behind} repositories are behind the other server or could not be compared (marked !)`,
  ];
  return lines.map(asciiLine).join("\n") + "\n";
}

function table(repositories: readonly ComparedRepository[]): string[] {
  const count = (here: Category, there: Category) =>
    repositories.filter((one) => one.here.category === here && one.there.category === there).length;
  const shown = CATEGORIES.filter((category) =>
    category !== "unknown" ||
    repositories.some(({ here, there }) => here.category === category || there.category === category)
  );
  const cell = (value: string | number) => String(value).padStart(8);
  return [
    `${"".padEnd(10)}${shown.map((category) => cell(`there ${numberOf(category)}`)).join("")}`,
    ...shown.map((here) =>
      `${`here ${numberOf(here)}`.padEnd(10)}${shown.map((there) => cell(count(here, there))).join("")}`
    ),
  ];
}

function countLine(name: string, { here, there, onlyHere, onlyThere }: CompareReport["states"]): string {
  return `${name}: ${here} here, ${there} there; only here ${onlyHere}, only there ${onlyThere}`;
}

/** The report as one JSON object. */
export function comparisonJson(report: CompareReport): string {
  const number = ({ category, matching }: ComparedRepository["here"]) => ({
    category: numberOf(category),
    matching,
  });
  const repositories = report.repositories.map((repository) => ({
    repository: `${encodeNpub(repository.owner)}/${repository.identifier}`,
    state: repository.state,
    declared: repository.declared,
    here: number(repository.here),
    there: number(repository.there),
    behind: isBehind(repository),
  }));
  return JSON.stringify({ ...report, repositories }, undefined, 2) + "\n";
}
