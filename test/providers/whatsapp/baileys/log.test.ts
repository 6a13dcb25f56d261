import { expect, test } from 'bun:test'
import { join } from 'node:path'

async function run(mode: 'account' | 'bare'): Promise<string> {
  const child = Bun.spawn({
    cmd: [process.execPath, join(import.meta.dir, 'log-process.ts'), mode],
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: 20_000,
  })
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (code !== 0) throw new Error(`the process ended with ${code}: ${errors.slice(-2_000)}`)
  return output + errors
}

test('nothing an account prints holds a key, a session, or a phone number', async () => {
  const output = await run('account')
  expect(output).toInclude('connection closed')
  const found = ['privKey', 'SessionEntry', 'rootKey', 'chainKey', 'Closing session', '97250'].filter((text) =>
    output.includes(text),
  )
  expect(found).toEqual([])
}, 30_000)

test('a bare client does print private keys, so that the search above can fail', async () => {
  expect(await run('bare')).toInclude('privKey')
}, 30_000)
