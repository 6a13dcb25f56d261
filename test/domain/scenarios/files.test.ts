import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { readScenarios, SCENARIO_CHANNELS, type Scenario } from '../../../src/domain/scenarios/index.ts'
import { AppError } from '../../../src/lib/errors.ts'

const FOLDER = join(import.meta.dir, '../../evals')
const files = [...new Bun.Glob('*.yaml').scanSync(FOLDER)].sort()

async function readAll(): Promise<{ file: string; scenarios: Scenario[] }[]> {
  return await Promise.all(
    files.map(async (file) => ({ file, scenarios: readScenarios(await Bun.file(join(FOLDER, file)).text(), file) })),
  )
}

test('every file that ships is a scenario under its name, and enough of them are there', async () => {
  const all = await readAll()
  for (const { file, scenarios } of all) expect(scenarios.map(({ name }) => `${name}.yaml`)).toEqual([file])
  const scenarios = all.flatMap((each) => each.scenarios)
  const isHebrew = ({ script, given }: Scenario) =>
    given.business?.language === 'he' && /[\u05d0-\u05ea]/.test(script.flatMap(({ send }) => send ?? []).join(''))
  expect(scenarios.length).toBeGreaterThanOrEqual(40)
  expect(scenarios.filter(isHebrew).length).toBeGreaterThanOrEqual(25)
  for (const channel of SCENARIO_CHANNELS)
    expect(scenarios.filter(({ channels }) => channels.includes(channel)).length).toBeGreaterThanOrEqual(20)
})

test('each of them expects something, on every channel that it names', async () => {
  const idle = (await readAll())
    .flatMap(({ scenarios }) => scenarios)
    .filter(({ script, channels, finally: final }) => {
      const writes = channels.some((channel) => channel !== 'voice')
      return (
        (writes && !script.some(({ expect: expected }) => expected)) ||
        (channels.includes('voice') && !script.some(({ intake }) => intake) && !final.intake)
      )
    })
  expect(idle.map(({ name }) => name)).toEqual([])
})

const VALID = `name: a
channels: [chat]
given:
  business: {preset: salon}
script:
  - send: שלום
    expect: {replies: 1}
  - send: מחיר?
    expect:
      says: ["120"]
finally: {db: {appointments: null}}
`

test.each<[string, string, string, RegExp]>([
  ['a key that does not exist', 'replies: 1', 'reply: 1', /^x\.yaml:7: script\[0\]\.expect: .*reply/],
  ['a value of another kind', '"120"', '{some: x}', /^x\.yaml:1\d: script\[1\]\.expect\.says/],
  ['a preset that does not exist', 'salon', 'bakery', /^x\.yaml:4: given\.business\.preset: .*plumber/],
  ['a channel that does not exist', '[chat]', '[fax]', /^x\.yaml:2: channels/],
  [
    'a step that does nothing',
    '- send: שלום\n    expect',
    '- expect',
    /^x\.yaml:6: script\[0\]: A step does something/,
  ],
  ['a pattern that is none', '"120"', '"/(/"', /^x\.yaml:1\d: script\[1\]\.expect\.says.*regular expression/],
  ['no name', 'name: a\n', '', /^x\.yaml:1: name/],
  ['no YAML', 'channels: [chat]', 'channels: [chat', /^x\.yaml(:\d+)?: This is no YAML/],
])('%s is named with its file, line and path', (_, part, instead, message) => {
  expect(readScenarios(VALID, 'x.yaml')).toHaveLength(1)
  expect(VALID).toContain(part)
  expect(refusalOf(VALID.replace(part, instead))).toMatch(message)
})

test('a list of scenarios is read, each with a name of its own', () => {
  const list = (names: string[]) =>
    Bun.YAML.stringify(
      names.map((name) => ({ ...Object(Bun.YAML.parse(VALID)), name })),
      null,
      2,
    )
  expect(readScenarios(list(['a', 'b']), 'x.yaml').map(({ name }) => name)).toEqual(['a', 'b'])
  expect(refusalOf(list(['a', 'a']))).toMatch(/The name a is there twice/)
  expect(refusalOf('[]')).toMatch(/no scenario/)
})

function refusalOf(text: string): string {
  try {
    readScenarios(text, 'x.yaml')
  } catch (error) {
    if (error instanceof AppError && error.code === 'invalid_scenario') return error.message
    throw error
  }
  return ''
}
