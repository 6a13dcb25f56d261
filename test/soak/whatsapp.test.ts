import { expect, test } from 'bun:test'
import { withSeed } from '../support/seed.ts'
import { runSoak } from './whatsapp-soak.ts'

for (const delivery of ['at-most-once', 'at-least-once'] as const)
  test(
    `${delivery}: sends and receives while workers, queue and database are killed at random`,
    withSeed(async (seed) => {
      const report = await runSoak({
        accounts: 2,
        contactsPerAccount: 4,
        sends: 120,
        inbound: 50,
        workers: 2,
        delivery,
        every: [1_500, 3_000],
        firstMs: 300,
        strike: ['worker', 'worker', 'redis', 'postgres', 'postgres-stop'],
        limitMs: 100_000,
        seed,
      })
      const { rows, repeated, ...rest } = report
      // Every phone here confirms what it gets, and no confirmation may be lost.
      expect(report.unconfirmed, `seed ${report.seed}`).toBe(0)
      expect(
        Object.values(report.strikes).reduce((sum, count) => sum + count, 0),
        JSON.stringify(report),
      ).toBeGreaterThan(0)
      expect(rest, `seed ${report.seed}`).toMatchObject({
        lost: [],
        doubled: [],
        disordered: [],
        inbound: { sent: 50, rows: 50, missing: 0, doubled: 0 },
        undecryptable: 0,
      })
      expect(rows.queued ?? 0).toBe(0)
      expect(rows.sending ?? 0).toBe(0)
      expect((rows.sent ?? 0) + (rows.delivered ?? 0) + (rows.unknown ?? 0)).toBe(120)
      if (delivery === 'at-most-once') expect(repeated).toEqual([])
      else expect(rows.unknown ?? 0).toBe(0)
    }),
    150_000,
  )
