import { expect, test } from 'bun:test'
import { join } from 'node:path'

test.each([
  ['promise', 0, 'unhandled rejection'],
  ['bug', 1, 'uncaught exception, process exits'],
])('a stray failure (%s) ends the process when it leaves an unknown state', async (what, code, line) => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'fixtures/stray-failure.ts'), what], {
    stdout: 'pipe',
    stderr: 'inherit',
    timeout: 20_000,
  })
  expect(await new Response(child.stdout).text()).toContain(line)
  expect(await child.exited).toBe(code)
})
