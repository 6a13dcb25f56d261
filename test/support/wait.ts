/** Longer than this shows nothing more, and makes the suite slow. */
const LONGEST_QUIET_MS = 2_500

/** Asks until the answer is there (not null, undefined or false). @throws Error that names what did not come */
export async function eventually<T>(
  ask: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  what: string,
  ms = 10_000,
): Promise<T> {
  const deadline = performance.now() + ms
  for (;;) {
    const answer = await ask()
    if (answer !== null && answer !== undefined && answer !== false) return answer
    if (performance.now() > deadline) throw new Error(`did not come within ${ms} ms: ${what}`)
    await Bun.sleep(25)
  }
}

/**
 * Lets time pass in which something must not happen, or in which something under way must go on. What must happen is waited for
 * with `eventually`.
 * @param why what would have happened meanwhile
 */
export async function quietFor(ms: number, why: string): Promise<void> {
  if (ms > LONGEST_QUIET_MS) throw new Error(`${ms} ms is too long to wait for nothing (${why})`)
  await Bun.sleep(ms)
}
