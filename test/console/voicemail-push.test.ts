import { afterAll, beforeAll, expect, test } from 'bun:test'
import { startConsoleProduct } from '../support/console.ts'
import { eventually, type Product } from '../support/product.ts'
import { startPushService } from '../support/push-service.ts'
import { speak } from '../support/speech.ts'

let product: Product
let service: ReturnType<typeof startPushService>
let publicKey = ''

beforeAll(async () => {
  service = startPushService(() => publicKey)
  product = await startConsoleProduct({ env: { WEBHOOKS_ALLOW_PRIVATE: '1' } })
  publicKey = (await product.trpc().push.key.query()).publicKey
}, 120_000)
afterAll(async () => {
  service.close()
  await product.stop()
})

test('a voicemail is pushed by the workers of the product to a device of the sandbox’s own machine', async () => {
  const { id, ...subscription } = service.browser()
  await product.trpc(null).push.subscribe.mutate({ subscription, label: 'A telephone', language: 'en' })
  // Of a caller of its own: what is known of another is not notified again for a while.
  await product.call({
    from: '+972501239999',
    script: [
      { wait: 1_500 },
      { dtmf: '0', when: 'barge_in' },
      { say: await speak('Please call me back', 'en'), quietMs: 1_500 },
      { dtmf: '#', when: 'now' },
    ],
    connectBaseUrl: product.publicBaseUrl,
  })
  // Its words are waited for while they may be written down.
  await eventually(() => service.messagesOf(id).length > 0, 'the notification', 75_000)
  expect(service.messagesOf(id)).toMatchObject([{ title: 'New voicemail', body: '+972501239999' }])
}, 150_000)
