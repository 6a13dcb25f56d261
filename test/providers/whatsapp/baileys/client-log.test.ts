import { expect, test } from 'bun:test'
import { createLogger } from '../../../../src/lib/log.ts'
import { createClientLogger } from '../../../../src/providers/whatsapp/baileys/client-log.ts'

/** The library's messages as they appear in our log. */
function logged(say: (logger: ReturnType<typeof createClientLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = []
  say(createClientLogger(createLogger('info', {}, { write: (line) => void lines.push(line) })))
  return lines.map((line) => JSON.parse(line))
}

test("the library's errors are warnings, by the level of the line itself", () => {
  const lines = logged((logger) => {
    logger.error({ err: new Error('for 972501234567') }, 'failed to decrypt')
    logger.warn('odd stanza')
    logger.info('nothing')
  })
  expect(lines).toMatchObject([
    { level: 40, libraryLevel: 'error', msg: 'failed to decrypt', reason: 'for …' },
    { level: 40, libraryLevel: 'warn', msg: 'odd stanza' },
  ])
})

test('a first link that went well leaves no warning', () => {
  expect(
    logged((logger) => {
      logger.error({ fullErrorNode: {} }, 'stream errored out')
      logger.warn('no name present, ignoring presence update request...')
    }),
  ).toEqual([])
})
