import { expect, test } from 'bun:test'
import { join } from 'node:path'

test.each([
  ['promise', 0, 'a promise failed that nobody waited for'],
  ['driver', 0, 'the database driver lost its socket'],
  ['bug', 1, 'an error nobody caught'],
])('a stray failure (%s) ends the process only when nobody knows its state', async (what, code, said) => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'fixtures/stray-failure.ts'), what], {
    stdout: 'pipe',
    stderr: 'inherit',
    timeout: 20_000,
  })
  expect(await new Response(child.stdout).text()).toContain(said)
  expect(await child.exited).toBe(code)
})
