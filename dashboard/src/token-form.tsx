// Without a valid token nothing can be shown: says where to find one.
import { useState } from 'react'

import { setToken } from './api/token.ts'

import './token-form.css'

export function TokenForm() {
  const [value, setValue] = useState('')
  return (
    <form
      className="panel token-form"
      onSubmit={(event) => {
        event.preventDefault()
        setToken(value)
        location.reload()
      }}
    >
      <h1>This page needs a token</h1>
      <p>
        Open the address that <code>heddle ps</code> shows as <em>dashboard</em>, or paste a token of a viewer (
        <code>heddle token create</code>).
      </p>
      <label htmlFor="token">Token</label>
      <input
        id="token"
        type="password"
        autoComplete="off"
        value={value}
        onChange={(event) => setValue(event.target.value)}
      />
      <button type="submit" disabled={value.trim() === ''}>
        Show the mesh
      </button>
    </form>
  )
}
