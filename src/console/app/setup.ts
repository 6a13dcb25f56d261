import { useQuery } from '@tanstack/react-query'
import { UNNAMED_BUSINESS } from '../../lib/business-name.ts'
import { useAccess } from './access.ts'
import type { SetupStep } from './parts.ts'
import { query } from './trpc.ts'

const LEFT = 'setup-left'
export const leaveSetup = () => localStorage.setItem(LEFT, 'yes')
export const setupLeft = () => localStorage.getItem(LEFT) !== null

/** Whether someone gave the business a name: callers hear it in the greeting. */
export const isNamed = (name: string) => ![UNNAMED_BUSINESS, ''].includes(name.trim())

/** Which steps of the setup are done, by what the server says; undefined while it is read. */
export function useSetup(): Record<SetupStep, boolean> | undefined {
  const { may } = useAccess()
  const enabled = may('manager')
  const business = useQuery({ ...query('businesses.get'), enabled })
  const numbers = useQuery({ ...query('businesses.numbers'), enabled })
  const providers = useQuery({ ...query('businesses.providers'), enabled })
  const calls = useQuery({ ...query('calls.list', { limit: 1 }), enabled })
  const tests = useQuery({ ...query('calls.list', { limit: 1, tests: true }), enabled })
  if (!business.data || !numbers.data || !providers.data || !calls.data || !tests.data) return undefined
  return {
    business: isNamed(business.data.name),
    hours: business.data.hours !== null,
    number: numbers.data.items.length > 0,
    whatsapp:
      providers.data.accounts.some(({ state }) => state === 'working') || providers.data.twilio.defaultSender !== null,
    test: calls.data.items.length + tests.data.items.length > 0,
  }
}
