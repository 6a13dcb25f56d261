import { expect, test } from 'bun:test'
import { publicSocketUrl, publicUrl, WEBHOOKS } from '../../src/access/urls.ts'
import { loadConfig } from '../../src/config.ts'
import { temporaryDirectory } from '../support/cleanup.ts'

test.each([
  ['https://agent.example.test', 'https://agent.example.test/webhook/stream_ended', 'wss://agent.example.test'],
  ['https://agent.example.test/', 'https://agent.example.test/webhook/stream_ended', 'wss://agent.example.test'],
  ['https://agent.example.test///', 'https://agent.example.test/webhook/stream_ended', 'wss://agent.example.test'],
  ['https://agent.example.test/a', 'https://agent.example.test/a/webhook/stream_ended', 'wss://agent.example.test/a'],
  [
    'https://agent.example.test/a/b//',
    'https://agent.example.test/a/b/webhook/stream_ended',
    'wss://agent.example.test/a/b',
  ],
  [
    'https://agent.example.test:8443/',
    'https://agent.example.test:8443/webhook/stream_ended',
    'wss://agent.example.test:8443',
  ],
  ['http://127.0.0.1:5000/?x=1#y', 'http://127.0.0.1:5000/webhook/stream_ended', 'wss://127.0.0.1:5000'],
])('%s is followed by exactly one slash', (base, ended, socket) => {
  const config = loadConfig({ PUBLIC_BASE_URL: base, SANDBOX: '0', DATA_DIR: temporaryDirectory('urls') })
  expect(publicUrl(config.publicBaseUrl, WEBHOOKS.streamEnded)).toBe(ended)
  expect(publicUrl(`${config.publicBaseUrl}/`, 'webhook/stream_ended')).toBe(ended)
  expect(publicSocketUrl(config.publicBaseUrl)).toBe(`${socket}/ws/twilio-media`)
})
