// The shop's carts, in SQLite: in memory, or in the file that $CART_DATABASE names.
import { DatabaseSync } from 'node:sqlite'

import { Refusal, serve } from './serve.ts'

export interface CartLine {
  readonly sku: string
  readonly quantity: number
  readonly cents: number
}

const forgottenAfterMs = 3_600_000
const database = new DatabaseSync(process.env['CART_DATABASE'] ?? ':memory:')
database.exec(`CREATE TABLE IF NOT EXISTS line (
  cart TEXT NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, cents INTEGER NOT NULL, changed_ms INTEGER NOT NULL,
  PRIMARY KEY (cart, sku)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS line_by_age ON line (changed_ms)`)
const lines = database.prepare('SELECT sku, quantity, cents FROM line WHERE cart = ? ORDER BY sku')
const add = database.prepare(`INSERT INTO line (cart, sku, quantity, cents, changed_ms) VALUES (?, ?, 1, ?, ?)
  ON CONFLICT (cart, sku) DO UPDATE SET quantity = quantity + 1, cents = excluded.cents, changed_ms = excluded.changed_ms`)
const clear = database.prepare('DELETE FROM line WHERE cart = ?')
const forget = database.prepare('DELETE FROM line WHERE changed_ms < ?')

serve('cart', 9003, {
  'GET /carts/:id': ({ params: [id = ''] }) => ({ body: lines.all(id) }),
  'POST /carts/:id/lines': async ({ params: [id = ''], json }) => {
    const { sku, cents } = await json()
    if (typeof sku !== 'string' || typeof cents !== 'number' || !Number.isInteger(cents)) {
      throw new Refusal(400, 'a line needs sku and cents')
    }
    const nowMs = Date.now()
    forget.run(nowMs - forgottenAfterMs)
    add.run(id, sku, cents, nowMs)
    return { status: 201, body: lines.all(id) }
  },
  'DELETE /carts/:id': ({ params: [id = ''] }) => {
    clear.run(id)
    return { body: [] }
  },
})
