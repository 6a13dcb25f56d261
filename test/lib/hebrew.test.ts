import { expect, test } from 'bun:test'
import { stripPoints } from '../../src/lib/hebrew.ts'

test('points and accents go, letters and hyphens stay', () => {
  expect(stripPoints('שָׁלוֹם, הִגַּ֫עְתֶּם אֶל')).toBe('שלום, הגעתם אל')
  expect(stripPoints('בֵּית־סֵפֶר')).toBe('בית־ספר')
  expect(stripPoints('Hello, José')).toBe('Hello, José')
})
