import type { Changes } from "../lib/store/mod.ts";

const PROGRAM = new URL("./fill_process.ts", import.meta.url).pathname;
const CONFIG = new URL("../deno.json", import.meta.url).pathname;

/** Writes straight into the database of a server that does not run. */
export async function fillStore(dataPath: string, units: readonly Changes[]): Promise<void> {
  await Deno.mkdir(`${dataPath}/relay`, { recursive: true });
  const file = `${dataPath}/units.jsonl`;
  await Deno.writeTextFile(file, units.map((unit) => JSON.stringify(unit) + "\n").join(""));
  const args = ["run", "--no-prompt", "--quiet", "--config", CONFIG, "-A", PROGRAM, dataPath, file];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (!success) throw new Error(`the database could not be filled: ${new TextDecoder().decode(stderr)}`);
  await Deno.remove(file);
}
