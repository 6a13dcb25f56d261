import { below } from './base.ts'
import { client, queryClient } from './trpc.ts'

const UUID = /^[0-9a-f-]{36}$/i
let followed: string | null = null

/** Opens the business that the address names: a notification may be of another one than the member chose. */
export function followBusiness(): void {
  const id = new URLSearchParams(location.search).get('business')
  if (id && UUID.test(id)) localStorage.setItem('business', id)
  // A page of the business that was chosen before would ask for its rows in the other one.
  window.addEventListener('storage', ({ key }) => {
    if (key === 'business') location.assign(below('/console'))
  })
}

/** The business that was chosen is not this member's any more: their own first one opens, without the address that named it. */
export function leaveBusiness(): void {
  localStorage.removeItem('business')
  location.assign(below('/console'))
}

/** Remembers which alert led here, before the router drops what it does not know from the address. */
export function rememberAlert(): void {
  const id = new URLSearchParams(location.search).get('alert')
  followed = id && UUID.test(id) ? id : null
}

/** Says once that a member looked at the alert that led here: it is not escalated any more. */
export async function seeAlert(): Promise<void> {
  const id = followed
  followed = null
  if (!id) return
  try {
    await client.alerts.see.mutate({ id })
    await queryClient.invalidateQueries({ queryKey: ['alerts'] })
  } catch (error) {
    // It may be of another business, or gone: the place is shown all the same.
    console.info('alert not marked as seen', error)
  }
}
