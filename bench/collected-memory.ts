// What a process holds once everything it let go of was collected, taken in one way on both sides of a comparison.
// Preloaded into a program, it collects on SIGUSR2; the memory is then read from outside.

const SAMPLES = 5
const SETTLE_MS = 400

/** Collects everything, a few times over: freed pages go back to the system a little later. */
export async function collect(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    Bun.gc(true)
    await Bun.sleep(SETTLE_MS / 2)
  }
}

/** Resident memory of a process, MB: the median of a few collections. @param collectThere has that process collect */
export async function collectedMemory(pid: number, collectThere: () => Promise<void>): Promise<number> {
  const samples: number[] = []
  for (let sample = 0; sample < SAMPLES; sample++) {
    await collectThere()
    await Bun.sleep(SETTLE_MS)
    const status = await Bun.file(`/proc/${pid}/status`).text()
    samples.push(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1_024)
  }
  return samples.toSorted((a, b) => a - b)[Math.floor(SAMPLES / 2)] ?? Number.NaN
}

/** Has a program that was started with this file preloaded collect. */
export async function collectIn(pid: number): Promise<void> {
  process.kill(pid, 'SIGUSR2')
  await Bun.sleep(SETTLE_MS * 2)
}

/** Environment that preloads this file into a program. */
export const PRELOADED = { BUN_OPTIONS: `--preload ${import.meta.path}` }

process.on('SIGUSR2', () => void collect())
