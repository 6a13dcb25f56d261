import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findFreePort } from '../../src/lib/net.ts'
import { onTestsEnd, temporaryDirectory } from './cleanup.ts'
import { eventually } from './wait.ts'

/** A real CalDAV server with one account and one calendar. */
export async function startRadicale(): Promise<{
  url: string
  username: string
  password: string
  calendarUrl: string
}> {
  const [username, password] = ['dana', 'correct horse']
  const directory = temporaryDirectory('radicale')
  mkdirSync(directory, { recursive: true })
  const port = await findFreePort('127.0.0.1')
  writeFileSync(join(directory, 'users'), `${username}:${password}\n`)
  writeFileSync(
    join(directory, 'config'),
    [
      '[server]',
      `hosts = 127.0.0.1:${port}`,
      '[auth]',
      ...[
        'type = htpasswd',
        `htpasswd_filename = ${join(directory, 'users')}`,
        'htpasswd_encryption = plain',
        'delay = 0',
      ],
      '[storage]',
      `filesystem_folder = ${join(directory, 'collections')}`,
      '[logging]',
      'level = error',
    ].join('\n'),
  )
  const server = Bun.spawn(['radicale', '--config', join(directory, 'config')], { stdout: 'ignore', stderr: 'ignore' })
  onTestsEnd(async () => {
    server.kill()
    await server.exited
  })
  const url = `http://127.0.0.1:${port}/`
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  const calendarUrl = `${url}${username}/work/`
  await eventually(
    async () => {
      const made = await fetch(calendarUrl, { method: 'MKCALENDAR', headers: { authorization } }).catch(() => null)
      return made?.status === 201
    },
    'the CalDAV server',
    60_000,
  )
  return { url, username, password, calendarUrl }
}
