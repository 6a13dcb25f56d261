import { z } from 'zod'
import { processEnvironment } from '../../src/config.ts'

/** `TEST_SEED` repeats the random choices of an earlier run. */
const given = z.coerce.number().int().min(0).max(2_147_483_647).optional().parse(processEnvironment().TEST_SEED)

/**
 * The seed of a property or fuzz test: `TEST_SEED` when it is set.
 * @param usual the seed of a test that makes the same choices in every run; left out, each run makes new ones
 */
export function testSeed(usual?: number): number {
  return given ?? usual ?? newSeed
}

const newSeed = Date.now() % 1_000_000_007

/** A test's body that gets a seed; when it fails, the seed that repeats it is printed. */
export function withSeed(run: (seed: number) => unknown, usual?: number): () => Promise<void> {
  return async () => {
    const seed = testSeed(usual)
    try {
      await run(seed)
    } catch (error) {
      console.error(`The seed was ${seed}: TEST_SEED=${seed} repeats the random choices.`)
      throw error
    }
  }
}

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Whole numbers from 0 up to below a limit, the same for the same seed. */
export function randomIntegers(seed: number): (below: number) => number {
  const random = randomNumbers(seed)
  return (below) => Math.floor(random() * below)
}
