import { expect, test } from 'bun:test'
import { createSafeFetch } from '../../../src/lib/safe-fetch.ts'
import { createIcsFeed } from '../../../src/providers/calendars/feed.ts'
import { editIcs, readIcs, writeIcs } from '../../../src/providers/calendars/ics.ts'

const window = { from: new Date('2027-03-01T00:00:00Z'), to: new Date('2027-05-01T00:00:00Z'), zone: 'Asia/Jerusalem' }
const calendar = (...events: string[]) =>
  ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//x//EN', ...events, 'END:VCALENDAR', '']
    .join('\n')
    .replaceAll('\n', '\r\n')
const event = (uid: string, ...lines: string[]) =>
  ['BEGIN:VEVENT', `UID:${uid}`, 'DTSTAMP:20260101T000000Z', ...lines, 'END:VEVENT'].join('\n')
const read = async (...events: string[]) =>
  readIcs(calendar(...events), window, (uid) => uid, { addresses: ['dana@example.com'] })
const starts = (found: Awaited<ReturnType<typeof readIcs>>) =>
  found.events.map(({ startsAt }) => startsAt.toISOString().slice(0, 16)).sort()

test('a weekly series over the change of the clocks, with a date left out and one moved, whatever names the zone', async () => {
  for (const zone of ['Asia/Jerusalem', 'Israel Standard Time']) {
    const found = await read(
      event(
        'series',
        `DTSTART;TZID=${zone}:20270312T090000`,
        `DTEND;TZID=${zone}:20270312T100000`,
        'RRULE:FREQ=WEEKLY;COUNT=5',
        `EXDATE;TZID=${zone}:20270402T090000`,
      ),
      event(
        'series',
        `RECURRENCE-ID;TZID=${zone}:20270326T090000`,
        `DTSTART;TZID=${zone}:20270326T120000`,
        `DTEND;TZID=${zone}:20270326T130000`,
      ),
    )
    // 26 March 2027, 02:00 is 03:00: nine o'clock is 7 and then 6 in UTC.
    expect(starts(found)).toEqual(['2027-03-12T07:00', '2027-03-19T07:00', '2027-03-26T09:00', '2027-04-09T06:00'])
    expect(new Set(found.events.map(({ objectId }) => objectId))).toEqual(new Set(['series']))
  }
})

/** As Outlook writes a zone that was set by hand. */
const OUTLOOK_ZONE = `BEGIN:VTIMEZONE
TZID:Customized Time Zone
BEGIN:STANDARD
DTSTART:16010101T020000
TZOFFSETFROM:+0300
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0200
TZOFFSETTO:+0300
RRULE:FREQ=YEARLY;BYDAY=-1FR;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE`

test('a zone that the text defines under a name of its own is read by its rules, on both sides of a change', async () => {
  for (const name of ['TZID=Customized Time Zone', 'TZID="Customized Time Zone"']) {
    const found = await read(
      OUTLOOK_ZONE,
      event('series', `DTSTART;${name}:20270322T090000`, `DTEND;${name}:20270322T100000`, 'RRULE:FREQ=WEEKLY;COUNT=2'),
    )
    expect(starts(found)).toEqual(['2027-03-22T07:00', '2027-03-29T06:00'])
  }
  // In another zone than the business, and one that is no zone: the rest is read.
  const york = OUTLOOK_ZONE.replaceAll('+0300', '-0400')
    .replaceAll('+0200', '-0500')
    .replace('-1FR;BYMONTH=3', '2SU;BYMONTH=3')
    .replace('-1SU;BYMONTH=10', '1SU;BYMONTH=11')
  const far = await read(york, event('far', 'DTSTART;TZID=Customized Time Zone:20270401T090000', 'DURATION:PT1H'))
  expect(starts(far)).toEqual(['2027-04-01T13:00'])
  const broken = await read(
    'BEGIN:VTIMEZONE\nTZID:Nowhere\nBEGIN:STANDARD\nTZOFFSETTO:x\nEND:VTIMEZONE',
    event('fine', 'DTSTART:20270401T090000Z', 'DURATION:PT1H'),
  )
  expect(starts(broken)).toEqual(['2027-04-01T09:00'])
})

test('extra dates are busy as well: lists, zones, periods, one left out, and beside a rule', async () => {
  const found = await read(
    event(
      'alone',
      'DTSTART;TZID=Asia/Jerusalem:20270322T090000',
      'DTEND;TZID=Asia/Jerusalem:20270322T103000',
      'RDATE;TZID=Asia/Jerusalem:20270322T090000,20270324T090000,20270330T090000',
      'RDATE;VALUE=PERIOD:20270405T070000Z/PT2H',
      'EXDATE;TZID=Asia/Jerusalem:20270324T090000',
    ),
    event('ruled', 'DTSTART:20270401T100000Z', 'DURATION:PT1H', 'RRULE:FREQ=DAILY;COUNT=2', 'RDATE:20270409T100000Z'),
  )
  expect(starts(found)).toEqual([
    '2027-03-22T07:00',
    '2027-03-30T06:00',
    '2027-04-01T10:00',
    '2027-04-02T10:00',
    '2027-04-05T07:00',
    '2027-04-09T10:00',
  ])
  const odd = await read(event('odd', 'DTSTART:20270401T100000Z', 'DURATION:PT1H', 'RDATE:20279999T100000Z', 'RDATE'))
  expect(starts(odd)).toContain('2027-04-01T10:00')
  const minutes = found.events.map(({ startsAt, endsAt }) => (endsAt.getTime() - startsAt.getTime()) / 60_000)
  expect(minutes.sort((a, b) => a - b)).toEqual([60, 60, 60, 90, 90, 120])
  expect(new Set(found.events.map(({ uid, objectId }) => `${uid} ${objectId}`))).toEqual(
    new Set(['alone alone', 'ruled ruled']),
  )
})

test('an exception of all that follows moves what follows too, on its clock, and ends it when it is cancelled', async () => {
  const series = (uid: string, ...lines: string[]) =>
    event(
      uid,
      'DTSTART;TZID=Asia/Jerusalem:20270308T090000',
      'DTEND;TZID=Asia/Jerusalem:20270308T100000',
      'RRULE:FREQ=WEEKLY;COUNT=6',
      ...lines,
    )
  const later = (uid: string, ...lines: string[]) =>
    event(uid, 'RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Asia/Jerusalem:20270322T090000', ...lines)
  const moved = await read(
    series('moved', 'EXDATE:20270405T060000Z'),
    // From Monday at nine to Tuesday at eleven, and half an hour longer; one of them elsewhere again.
    later('moved', 'DTSTART;TZID=Asia/Jerusalem:20270323T110000', 'DTEND;TZID=Asia/Jerusalem:20270323T123000'),
    event('moved', 'RECURRENCE-ID:20270329T060000Z', 'DTSTART:20270331T100000Z', 'DURATION:PT15M'),
  )
  expect(starts(moved)).toEqual([
    '2027-03-08T07:00',
    '2027-03-15T07:00',
    '2027-03-23T09:00',
    '2027-03-31T10:00',
    // After the change of the clocks it is eleven as well.
    '2027-04-13T08:00',
  ])
  const minutes = moved.events.map(({ startsAt, endsAt }) => (endsAt.getTime() - startsAt.getTime()) / 60_000)
  expect(minutes.sort((a, b) => a - b)).toEqual([15, 60, 60, 90, 90])
  const ended = await read(
    series('ended'),
    later('ended', 'DTSTART:20270322T070000Z', 'STATUS:CANCELLED', 'DURATION:PT1H'),
  )
  expect(starts(ended)).toEqual(['2027-03-08T07:00', '2027-03-15T07:00'])
  const free = await read(
    series('free'),
    later('free', 'DTSTART;TZID=Asia/Jerusalem:20270322T090000', 'DURATION:PT1H', 'TRANSP:TRANSPARENT'),
  )
  expect(free.events.map(({ busy }) => busy)).toEqual([true, true, false, false, false, false])
  const days = await read(
    event('days', 'DTSTART;VALUE=DATE:20270308', 'RRULE:FREQ=WEEKLY;COUNT=4'),
    event('days', 'RECURRENCE-ID;VALUE=DATE;RANGE=THISANDFUTURE:20270322', 'DTSTART;VALUE=DATE:20270324'),
  )
  expect(starts(days)).toEqual(['2027-03-07T22:00', '2027-03-14T22:00', '2027-03-23T22:00', '2027-03-30T21:00'])
  // Moved by years, it is left out and counted.
  const far = await read(series('far'), later('far', 'DTSTART:20370322T070000Z', 'DURATION:PT1H'))
  expect([far.events.length, far.skipped]).toEqual([0, 1])
})

test('exceptions: in another zone, of a day, without their series, of extra dates, and two of one day', async () => {
  const day = ['DTSTART;VALUE=DATE:20270308', 'DTEND;VALUE=DATE:20270309', 'RRULE:FREQ=WEEKLY;COUNT=2']
  const found = await read(
    event('zones', 'DTSTART;TZID=America/New_York:20270308T090000', 'DURATION:PT1H', 'RRULE:FREQ=DAILY;COUNT=3'),
    event(
      'zones',
      'RECURRENCE-ID;TZID=Europe/London:20270309T140000',
      'DTSTART;TZID=Asia/Jerusalem:20270309T200000',
      'DURATION:PT30M',
    ),
    // All day, and once only an hour.
    event('day', ...day),
    event('day', 'RECURRENCE-ID;VALUE=DATE:20270315', 'DTSTART:20270315T100000Z', 'DTEND:20270315T110000Z'),
    // An hour, and once all day.
    event('hour', 'DTSTART:20270311T100000Z', 'DURATION:PT1H', 'RRULE:FREQ=DAILY;COUNT=2'),
    event('hour', 'RECURRENCE-ID:20270312T100000Z', 'DTSTART;VALUE=DATE:20270312', 'DTEND;VALUE=DATE:20270313'),
    // Invited to two dates of a series of another.
    event('guest', 'RECURRENCE-ID:20270401T080000Z', 'DTSTART:20270401T080000Z', 'DURATION:PT1H'),
    event('guest', 'RECURRENCE-ID:20270402T080000Z', 'DTSTART:20270402T090000Z', 'DURATION:PT1H'),
    event('extra', 'DTSTART:20270405T080000Z', 'DURATION:PT1H', 'RDATE:20270406T080000Z,20270407T080000Z'),
    event('extra', 'RECURRENCE-ID:20270406T080000Z', 'DTSTART:20270406T150000Z', 'DURATION:PT1H'),
    event('twice', 'DTSTART:20270410T080000Z', 'DURATION:PT1H', 'RRULE:FREQ=DAILY;COUNT=2;BYHOUR=8,15'),
    event('twice', 'RECURRENCE-ID:20270410T080000Z', 'DTSTART:20270410T090000Z', 'DURATION:PT1H'),
    event('twice', 'RECURRENCE-ID:20270410T150000Z', 'DTSTART:20270410T160000Z', 'DURATION:PT1H'),
  )
  const of = (uid: string) =>
    found.events
      .filter((each) => each.uid === uid)
      .map(({ startsAt, endsAt, allDay }) =>
        [startsAt.toISOString().slice(5, 16), (endsAt.getTime() - startsAt.getTime()) / 60_000, allDay ? 'day' : '']
          .join(' ')
          .trim(),
      )
      .sort()
  expect(of('zones')).toEqual(['03-08T14:00 60', '03-09T18:00 30', '03-10T14:00 60'])
  expect(of('day')).toEqual(['03-07T22:00 1440 day', '03-15T10:00 60'])
  expect(of('hour')).toEqual(['03-11T10:00 60', '03-11T22:00 1440 day'])
  expect(of('guest')).toEqual(['04-01T08:00 60', '04-02T09:00 60'])
  expect(of('extra')).toEqual(['04-05T08:00 60', '04-06T15:00 60', '04-07T08:00 60'])
  expect(of('twice')).toEqual(['04-10T09:00 60', '04-10T16:00 60'])
})

test('what programs write beside the standard: several calendars, busy times alone, paths of zones, days of times', async () => {
  const hour = (day: string) => [`DTSTART:202704${day}T090000Z`, 'DURATION:PT1H']
  const several = await readIcs(
    calendar(event('a', ...hour('01'))) + calendar(event('b', ...hour('02'))),
    window,
    (uid) => uid,
  )
  expect(starts(several)).toEqual(['2027-04-01T09:00', '2027-04-02T09:00'])
  const published = await read(
    'BEGIN:VFREEBUSY\nUID:f\nDTSTAMP:20260101T000000Z\nFREEBUSY;FBTYPE=BUSY:20270401T090000Z/20270401T100000Z,20270402T090000Z/PT1H\nFREEBUSY;FBTYPE=FREE:20270403T090000Z/PT1H\nEND:VFREEBUSY',
  )
  expect(starts(published)).toEqual(['2027-04-01T09:00', '2027-04-02T09:00'])
  const zones = await read(
    event('zone', 'DTSTART;TZID=/mozilla.org/20050126_1/Asia/Jerusalem:20270401T090000', 'DURATION:PT1H'),
    event('far', 'DTSTART;TZID="/x/America/Argentina/Ushuaia":20270401T090000', 'DURATION:PT1H'),
  )
  expect(starts(zones)).toEqual(['2027-04-01T06:00', '2027-04-01T12:00'])
  const byDay = await read(
    event('day', 'DTSTART;TZID=Asia/Jerusalem:20270401T090000', 'DURATION:PT1H', 'RRULE:FREQ=DAILY;COUNT=3'),
    event('day', 'RECURRENCE-ID;VALUE=DATE:20270402', 'DTSTART;TZID=Asia/Jerusalem:20270402T150000', 'DURATION:PT1H'),
  )
  expect(starts(byDay)).toEqual(['2027-04-01T06:00', '2027-04-02T12:00', '2027-04-03T06:00'])
  const status = await read(
    ...['FREE', 'WORKINGELSEWHERE', 'TENTATIVE', 'OOF', 'BUSY'].map((each) =>
      event(each, ...hour('01'), `X-MICROSOFT-CDO-BUSYSTATUS:${each}`),
    ),
  )
  expect(status.events.filter(({ busy }) => busy).map(({ uid }) => uid)).toEqual(['TENTATIVE', 'OOF', 'BUSY'])
})

test('days, times without a zone, free, declined and cancelled', async () => {
  const hour = ['DTSTART:20270310T080000Z', 'DTEND:20270310T090000Z']
  const found = await read(
    event('day', 'DTSTART;VALUE=DATE:20270326', 'DTEND;VALUE=DATE:20270327'),
    event('floating', 'DTSTART:20270402T090000', 'DURATION:PT30M'),
    event('free', ...hour, 'TRANSP:TRANSPARENT'),
    event('declined', ...hour, 'ATTENDEE;PARTSTAT=DECLINED:mailto:Dana@example.com'),
    event('another', ...hour, 'ATTENDEE;PARTSTAT=DECLINED:mailto:other@example.com'),
    event('cancelled', ...hour, 'STATUS:CANCELLED'),
  )
  const of = (uid: string) => found.events.find((each) => each.uid === uid)
  expect(of('day')).toEqual(
    expect.objectContaining({
      allDay: true,
      startsAt: new Date('2027-03-25T22:00:00Z'),
      // The day has 23 hours.
      endsAt: new Date('2027-03-26T21:00:00Z'),
    }),
  )
  expect(of('floating')?.startsAt).toEqual(new Date('2027-04-02T06:00:00Z'))
  expect([of('free')?.busy, of('declined')?.busy, of('another')?.busy]).toEqual([false, false, true])
  expect(of('cancelled')).toBeUndefined()
})

test('hostile text costs nothing: endless series, ever so often, from long ago, broken', async () => {
  const began = performance.now()
  const found = await read(
    event('seconds', 'DTSTART:20000101T000000Z', 'RRULE:FREQ=SECONDLY'),
    event('folded', 'DTSTART:20000101T000000Z', 'RRULE:FR\n EQ=MINUTELY;BYSECOND=1,2,3'),
    event('many', 'DTSTART:20270301T000000Z', 'DTEND:20270301T000100Z', 'RRULE:FREQ=HOURLY'),
    event('old', 'DTSTART:00010101T000000Z', 'DTEND:00010101T010000Z', 'RRULE:FREQ=DAILY'),
    event('none', 'SUMMARY:no start'),
    event('backwards', 'DTSTART:20270310T080000Z', 'DTEND:20270309T080000Z'),
    event('good', 'DTSTART:20270310T080000Z', 'DTEND:20270310T090000Z'),
  )
  expect(performance.now() - began).toBeLessThan(10_000)
  expect(found.events.filter(({ uid }) => uid === 'many').length).toBeLessThanOrEqual(2_000)
  expect([...new Set(found.events.map(({ uid }) => uid))].sort()).toEqual(['good', 'many'])
  expect(found.skipped).toBeGreaterThanOrEqual(4)
  await expect(readIcs('<html>not found</html>', window, (uid) => uid)).rejects.toThrow('no calendar')
})

test('what we write is read again as it was: lines of 75 octets, UTC, no one invited', async () => {
  const own = {
    appointmentId: '01900000-0000-7000-8000-000000000001',
    revision: 3,
    title: `תספורת – דנה; לוי, "ירושלים" \\ ${'ארוך '.repeat(30)}😀`,
    description: '+972501234567\nקומה 2; דלת שמאל',
    startsAt: new Date('2027-03-26T06:00:00Z'),
    endsAt: new Date('2027-03-26T06:30:00Z'),
    changedAt: new Date('2027-01-01T00:00:00Z'),
  }
  const text = writeIcs([own], { name: 'לוי', refreshMinutes: 60 })
  for (const line of text.split('\r\n')) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(75)
  expect(text).not.toMatch(/ATTENDEE|ORGANIZER|TZID|[^\r]\n/)
  const [found] = (await readIcs(text, window, (uid) => uid)).events
  expect(found).toEqual(
    expect.objectContaining({
      title: own.title.trim(),
      startsAt: own.startsAt,
      endsAt: own.endsAt,
      busy: true,
      ours: { appointmentId: own.appointmentId, revision: 3 },
    }),
  )
  // A person added a reminder and a guest: these stay, and the server mails no one.
  const alarm = ['BEGIN:VALARM', 'ACTION:DISPLAY', 'TRIGGER:-PT10M', 'END:VALARM'].join('\r\n')
  const guest = 'ATTENDEE:mailto:guest@example.com'
  const changed = text.replace('END:VEVENT', `${guest}\r\n${alarm}\r\nEND:VEVENT`)
  const edited = await editIcs(changed, {
    ...own,
    revision: 4,
    startsAt: new Date('2027-03-28T06:00:00Z'),
    endsAt: new Date('2027-03-28T07:00:00Z'),
  })
  expect(edited).toContain('TRIGGER:-PT10M')
  expect(edited).toContain('SCHEDULE-AGENT=CLIENT')
  const [again] = (await readIcs(edited, window, (uid) => uid)).events
  expect(again).toEqual(
    expect.objectContaining({
      startsAt: new Date('2027-03-28T06:00:00Z'),
      title: own.title.trim(),
      ours: expect.objectContaining({ revision: 4 }),
    }),
  )
})

test('a feed is read with its ETag, and an address inside the network is refused', async () => {
  const text = calendar(event('good', 'DTSTART:20270310T080000Z', 'DTEND:20270310T090000Z'))
  let body = text
  const asked: (string | null)[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      asked.push(request.headers.get('if-none-match'))
      if (request.headers.get('if-none-match') === '"one"') return new Response(null, { status: 304 })
      return new Response(body, { headers: { etag: '"one"' } })
    },
  })
  try {
    const url = `http://127.0.0.1:${server.port}/dana.ics`
    const feed = createIcsFeed({ url }, createSafeFetch({ allowPrivate: true }))
    const first = await feed.sync('feed', null, window)
    expect(first).toMatchObject({ whole: true, state: '"one"' })
    expect(await feed.sync('feed', first.state, window)).toMatchObject({ whole: false, events: [], state: '"one"' })
    expect(asked).toEqual([null, '"one"'])
    body = 'x'.repeat(6 * 1024 * 1024)
    await expect(feed.sync('feed', null, window)).rejects.toMatchObject({ problem: 'unavailable' })
    body = '<html>'
    await expect(feed.sync('feed', null, window)).rejects.toMatchObject({ problem: 'unavailable' })
    const outside = createIcsFeed({ url }, createSafeFetch({ allowPrivate: false }))
    await expect(outside.sync('feed', null, window)).rejects.toMatchObject({ problem: 'not_allowed' })
    for (const address of ['http://169.254.169.254/latest', 'http://[::1]:80/', 'http://10.0.0.1/a.ics'])
      await expect(
        createIcsFeed({ url: address }, createSafeFetch({ allowPrivate: false })).sync('feed', null, window),
      ).rejects.toMatchObject({ problem: 'not_allowed' })
  } finally {
    await server.stop(true)
  }
})
