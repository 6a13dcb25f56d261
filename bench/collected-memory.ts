// Memory that a process holds after garbage collection, measured the same way on both sides of a comparison. Preloaded into a
// program, this file collects on SIGUSR2; the memory is read from outside.

const SAMPLES = 5
const SETTLE_MS = 400

export async function collect(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    Bun.gc(true)
    await Bun.sleep(SETTLE_MS / 2)
  }
}

/** Resident memory of a process, MB: the median of several collections. @param collectThere makes that process collect */
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

export async function collectIn(pid: number): Promise<void> {
  process.kill(pid, 'SIGUSR2')
  await Bun.sleep(SETTLE_MS * 2)
}

export const PRELOADED = { BUN_OPTIONS: `--preload ${import.meta.path}` }

process.on('SIGUSR2', () => void collect())
