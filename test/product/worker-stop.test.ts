import { expect, test } from 'bun:test'
import { temporaryDirectory } from '../support/cleanup.ts'
import { createTestDatabase } from '../support/postgres.ts'
import { startProductProcess } from '../support/product-process.ts'
import { startRedis } from '../support/redis.ts'

for (const file of ['workers/crm.ts', 'workers/recordings.ts', 'workers/whatsapp.ts'])
  for (const trouble of ['dead', 'frozen'] as const)
    test(`${file} with nothing to do stops within seconds while Redis is ${trouble}`, async () => {
      const redis = await startRedis()
      const database = await createTestDatabase()
      const worker = await startProductProcess(file, {
        NODE_ENV: 'test',
        SANDBOX: '1',
        DATA_DIR: temporaryDirectory('worker-stop'),
        DATABASE_URL: database.url,
        REDIS_URL: redis.url,
        SESSION_SECRET: 'the-secret-of-a-worker-that-stops',
        LOG_LEVEL: 'info',
      })
      if (trouble === 'dead') await redis.halt()
      else redis.freeze()
      await Bun.sleep(1_500)
      const beganAt = performance.now()
      const byItself = await worker.stop(25_000)
      const seconds = (performance.now() - beganAt) / 1_000
      if (trouble === 'frozen') redis.thaw()
      await redis.dispose()
      await database.drop()
      expect({ byItself, code: await worker.exited }, JSON.stringify(worker.log.slice(-5))).toEqual({
        byItself: true,
        code: 0,
      })
      // Two seconds of waiting and the goodbyes; a wait for the queue alone was thirty.
      expect(seconds).toBeLessThan(15)
    }, 90_000)
