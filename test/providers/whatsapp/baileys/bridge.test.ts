import { expect, test } from 'bun:test'
import { readBridgeMessage } from '../../../../src/providers/whatsapp/baileys/bridge.ts'

const key = { id: 'A1', remoteJid: '972501234567@s.whatsapp.net' }

test('a text is read; an object where a text belongs is refused, wherever it stands', async () => {
  expect((await readBridgeMessage({ key, message: { conversation: 'שלום' } }))?.content).toEqual({
    kind: 'text',
    text: 'שלום',
  })
  for (const message of [
    { conversation: { a: 1 } },
    { extendedTextMessage: { text: {} } },
    { ephemeralMessage: { message: { imageMessage: { caption: { text: 'x' } } } } },
  ])
    await expect(readBridgeMessage({ key, message })).rejects.toThrow('an object in the place of a text')
  // A sender may write this very text.
  expect((await readBridgeMessage({ key, message: { conversation: '[object Object]' } }))?.content).toMatchObject({
    text: '[object Object]',
  })
})
