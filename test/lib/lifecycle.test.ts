import { expect, test } from 'bun:test'
import { join } from 'node:path'

test.each([
  ['promise', 0, 'unhandled rejection'],
  ['driver', 0, 'database driver lost its socket'],
  ['bug', 1, 'uncaught exception'],
])('a stray failure (%s) ends the process only when its state is unknown', async (what, code, message) => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'fixtures/stray-failure.ts'), what], {
    stdout: 'pipe',
    stderr: 'inherit',
    timeout: 20_000,
  })
  expect(await new Response(child.stdout).text()).toContain(message)
  expect(await child.exited).toBe(code)
})
