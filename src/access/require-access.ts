import { type Role, roleReaches, type Scope, scopeReaches } from '../domain/members/index.ts'
import { AppError } from '../lib/errors.ts'

/** The access that a procedure or route needs; `operator` is an owner of the installation's first business. */
export type Requirement = { role: Role; scope: Scope; operator?: true }

/** @throws AppError `role_too_low`, `scope_too_low`, `operator_only` */
export function requireAccess(access: { role: Role; scope: Scope | null; operator: boolean }, needs: Requirement) {
  if (access.scope !== null && !scopeReaches(access.scope, needs.scope)) throw scopeTooLow(needs.scope)
  if (access.scope === null && !roleReaches(access.role, needs.role))
    throw new AppError(
      'forbidden',
      'role_too_low',
      `Your role does not allow this. Ask an owner for the role ${needs.role}.`,
    )
  if (needs.operator && !access.operator)
    throw new AppError(
      'forbidden',
      'operator_only',
      'Only an owner of the installation’s first business may do this. Ask one of them.',
    )
}

export function scopeTooLow(needed: Scope): AppError {
  return new AppError(
    'forbidden',
    'scope_too_low',
    `This API key is not allowed to do this. Use a key with the scope ${needed}.`,
  )
}

export function reaches(access: { role: Role; scope: Scope | null; operator: boolean }, needs: Requirement): boolean {
  const enough = access.scope === null ? roleReaches(access.role, needs.role) : scopeReaches(access.scope, needs.scope)
  return enough && (!needs.operator || access.operator)
}
