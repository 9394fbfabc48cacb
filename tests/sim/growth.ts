/** How traffic grows with the number of servers, as a table. */
export function growthTable(): Promise<string> {
  return Promise.resolve("");
}
