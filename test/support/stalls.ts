const TICK_MS = 10

/**
 * How long this process did not get its turn. On a machine that is busy with other tests a call takes longer than its audio,
 * by as much as the clock of the test itself stood still.
 */
export function watchStalls(): { ms(from: number, to: number): number; total(): number; stop(): void } {
  const stalls: { at: number; ms: number }[] = []
  let due = performance.now() + TICK_MS
  const ticks = setInterval(() => {
    const at = performance.now()
    if (at - due > 2) stalls.push({ at, ms: at - due })
    due = at + TICK_MS
  }, TICK_MS)
  return {
    /** Between two moments of `performance.now`. */
    ms: (from, to) =>
      stalls.reduce((sum, { at, ms }) => sum + Math.max(0, Math.min(at, to) - Math.max(at - ms, from)), 0),
    total: () => stalls.reduce((sum, { ms }) => sum + ms, 0),
    stop: () => clearInterval(ticks),
  }
}
