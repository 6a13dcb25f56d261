import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '../../../src/lib/log.ts'
import type { SpeechSynthesizer } from '../../../src/providers/speech/port.ts'
import { createPromptCache } from '../../../src/providers/speech/prompts.ts'

const log = createLogger('silent')
let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'prompts-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** A voice that counts: its audio is the text's own letters, a hundred times. */
function countingVoice(version = 'v1'): SpeechSynthesizer & { spoken: string[] } {
  const spoken: string[] = []
  return {
    version,
    spoken,
    async synthesize({ text, language }) {
      spoken.push(`${language}:${text}`)
      await Bun.sleep(5)
      if (text === 'broken') throw new Error('no voice')
      return new TextEncoder().encode(text.repeat(100))
    },
    async close() {},
  }
}

const files = () => readdir(dir)

test('a text is rendered once: from memory after, from disk after a restart', async () => {
  const voice = countingVoice()
  const cache = createPromptCache({ dir, synthesizer: voice, log })
  expect(cache.peek('hello', 'en')).toBeUndefined()
  const first = await cache.render('hello', 'en')
  expect(cache.peek('hello', 'en')).toBe(first)
  expect(await cache.render('hello', 'en')).toBe(first)
  const restarted = createPromptCache({ dir, synthesizer: voice, log })
  expect(restarted.peek('hello', 'en')).toBeUndefined()
  expect(await restarted.render('hello', 'en')).toEqual(first)
  expect(restarted.peek('hello', 'en')).toEqual(first)
  expect(voice.spoken).toEqual(['en:hello'])
})

test('asked for at the same time, it is rendered once', async () => {
  const voice = countingVoice()
  const cache = createPromptCache({ dir, synthesizer: voice, log })
  const all = await Promise.all(Array.from({ length: 20 }, () => cache.render('hello', 'en')))
  expect(new Set(all).size).toBe(1)
  expect(voice.spoken.length).toBe(1)
  expect((await files()).length).toBe(1)
})

test('language and engine version are part of the name', async () => {
  const voice = countingVoice()
  const cache = createPromptCache({ dir, synthesizer: voice, log })
  await cache.render('hello', 'en')
  await cache.render('hello', 'he')
  const newer = countingVoice('v2')
  await createPromptCache({ dir, synthesizer: newer, log }).render('hello', 'en')
  expect(voice.spoken).toEqual(['en:hello', 'he:hello'])
  expect(newer.spoken).toEqual(['en:hello'])
  for (const name of await files()) expect(name).toMatch(/^[0-9a-f]{64}\.ulaw$/)
})

test.each([
  ['empty', new Uint8Array(0)],
  ['cut off', new Uint8Array(200).fill(0x55)],
])('a kept file that is %s is rendered anew and mended', async (_, damage) => {
  const voice = countingVoice()
  const whole = await createPromptCache({ dir, synthesizer: voice, log }).render('hello', 'en')
  const [name = ''] = await files()
  await writeFile(join(dir, name), damage)
  expect(await createPromptCache({ dir, synthesizer: voice, log }).render('hello', 'en')).toEqual(whole)
  expect(await createPromptCache({ dir, synthesizer: voice, log }).render('hello', 'en')).toEqual(whole)
  expect(voice.spoken.length).toBe(2)
})

test('a failure reaches everybody who waits, is not kept, and leaves no file', async () => {
  const voice = countingVoice()
  const cache = createPromptCache({ dir, synthesizer: voice, log })
  const both = await Promise.allSettled([cache.render('broken', 'en'), cache.render('broken', 'en')])
  expect(both.map((one) => one.status)).toEqual(['rejected', 'rejected'])
  await expect(cache.render('broken', 'en')).rejects.toThrow('no voice')
  expect(voice.spoken.length).toBe(2)
  expect(await files()).toEqual([])
})

test('a disk that cannot be written does not silence the voice', async () => {
  const blocked = join(dir, 'a-file')
  await writeFile(blocked, 'in the way')
  const cache = createPromptCache({ dir: join(blocked, 'below'), synthesizer: countingVoice(), log })
  expect((await cache.render('hello', 'en')).length).toBe(500)
  expect(cache.peek('hello', 'en')?.length).toBe(500)
})

test('memory is bounded: the least recently used goes first', async () => {
  const voice = countingVoice()
  const cache = createPromptCache({ dir, synthesizer: voice, maxMemoryBytes: 1000, log })
  await cache.render('aaaa', 'en')
  await cache.render('bbbb', 'en')
  cache.peek('aaaa', 'en')
  await cache.render('cccc', 'en')
  expect(cache.peek('bbbb', 'en')).toBeUndefined()
  expect(cache.peek('aaaa', 'en')).toBeDefined()
  expect(cache.peek('cccc', 'en')).toBeDefined()
})
