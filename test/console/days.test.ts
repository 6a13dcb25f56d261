import { expect, test } from 'bun:test'
import { Glob } from 'bun'
import { intlClocks, temporalClocks } from '../../src/console/ui/days.ts'
import { snoozeTimes } from '../../src/console/ui/snooze-times.ts'

const ZONES = [
  'Asia/Jerusalem',
  'Europe/London',
  'America/New_York',
  'America/Sao_Paulo',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Africa/Cairo',
  'Pacific/Apia',
  'UTC',
]

test('without Temporal the clocks of every zone answer the same: each half hour of two years, and each time of their days', () => {
  const wrong: string[] = []
  for (const zone of ZONES)
    for (let at = Date.UTC(2025, 11, 31); at < Date.UTC(2028, 0, 2); at += 23 * 1_800_000) {
      const moment = new Date(at)
      const [date, time] = [temporalClocks.dateOf(moment, zone), temporalClocks.timeOf(moment, zone)]
      if (intlClocks.dateOf(moment, zone) !== date || intlClocks.timeOf(moment, zone) !== time)
        wrong.push(`${zone} shows ${moment.toISOString()}`)
    }
  for (const zone of ZONES)
    for (let day = Date.UTC(2026, 0, 1); day < Date.UTC(2027, 0, 1); day += 86_400_000)
      for (const time of ['00:00', '01:30', '02:00', '02:30', '03:15', '12:00', '23:59']) {
        const date = new Date(day).toISOString().slice(0, 10)
        const [ours, theirs] = [intlClocks, temporalClocks].map((clocks) => clocks.momentAt(date, time, zone).getTime())
        if (ours !== theirs) wrong.push(`${zone} ${date} ${time}`)
      }
  expect(wrong).toEqual([])
}, 60_000)

test.each([
  ['in the morning', '2026-11-27T07:00:00Z', ['10:00', '18:00', '2026-11-28 09:00', '2026-11-29 09:00']],
  [
    'in the evening there is no evening any more',
    '2026-11-24T17:00:00Z',
    ['20:00', '2026-11-25 09:00', '2026-11-29 09:00'],
  ],
  ['on a Saturday tomorrow is next week', '2026-11-28T07:00:00Z', ['10:00', '18:00', '2026-11-29 09:00']],
  [
    'on a Sunday next week is seven days away',
    '2026-11-29T07:00:00Z',
    ['10:00', '18:00', '2026-11-30 09:00', '2026-12-06 09:00'],
  ],
  ['before the clocks go forward', '2026-03-26T08:00:00Z', ['11:00', '18:00', '2026-03-27 09:00', '2026-03-29 09:00']],
])('reminders are offered on the clock of the business: %s', (_, now, expected) => {
  const zone = 'Asia/Jerusalem'
  const moment = new Date(now)
  const offered = snoozeTimes(moment, zone).map(({ at }) => {
    const [date, time] = [temporalClocks.dateOf(at, zone), temporalClocks.timeOf(at, zone)]
    return date === temporalClocks.dateOf(moment, zone) ? time : `${date} ${time}`
  })
  expect(offered).toEqual(expected)
})

test('no screen reads the clock of the browser’s own zone', async () => {
  const found: string[] = []
  for await (const path of new Glob('**/*.{ts,tsx}').scan('src/console')) {
    const text = await Bun.file(`src/console/${path}`).text()
    const own = /\.(toLocale(Date|Time)?String|(get|set)(Hours|Minutes|Date|Day|Month|FullYear))\(|new Date\(\w+, /
    if (own.test(text)) found.push(path)
  }
  expect(found).toEqual([])
})
