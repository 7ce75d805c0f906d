// HTTP/2 framing, as little as an echo and its caller need: header blocks are written as literals and never decoded.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>

namespace http2 {

enum Type : uint8_t { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6, kGoAway = 7, kWindowUpdate = 8, kContinuation = 9 };
constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8;
constexpr const char *kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr size_t kPrefaceLength = 24;
constexpr int64_t kInitialWindow = 65535;
constexpr uint32_t kOwnStreamWindow = 1 << 20;

inline void number(std::string &out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

inline uint32_t number(const uint8_t *at) { return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3]; }

inline void frameHead(std::string &out, size_t length, Type type, uint8_t flags, uint32_t stream) {
  out.push_back(static_cast<char>(length >> 16));
  out.push_back(static_cast<char>(length >> 8));
  out.push_back(static_cast<char>(length));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  number(out, stream);
}

inline void windowUpdate(std::string &out, uint32_t stream, uint32_t increment) {
  frameHead(out, 4, kWindowUpdate, 0, stream);
  number(out, increment);
}

/** Windows so wide that the far side never waits for this one. */
inline void openConnection(std::string &out) {
  frameHead(out, 6, kSettings, 0, 0);
  out.push_back(0);
  out.push_back(4); // SETTINGS_INITIAL_WINDOW_SIZE
  number(out, kOwnStreamWindow);
  windowUpdate(out, 0, 1 << 30);
}

/** A field by the static table's name, not indexed (RFC 7541 6.2.2). Values are shorter than 127 bytes. */
inline void field(std::string &block, uint8_t staticName, const std::string &value) {
  if (staticName < 15) block.push_back(static_cast<char>(staticName));
  else {
    block.push_back(0x0f);
    block.push_back(static_cast<char>(staticName - 15));
  }
  block.push_back(static_cast<char>(value.size()));
  block += value;
}

inline void field(std::string &block, const std::string &name, const std::string &value) {
  block.push_back(0);
  block.push_back(static_cast<char>(name.size()));
  block += name;
  block.push_back(static_cast<char>(value.size()));
  block += value;
}

struct Frame {
  size_t length;
  uint8_t type, flags;
  uint32_t stream;
  const uint8_t *payload;
};

/** The next whole frame at `used`, which moves past it. */
inline bool nextFrame(const std::string &in, size_t &used, Frame &frame) {
  if (in.size() - used < 9) return false;
  const uint8_t *head = reinterpret_cast<const uint8_t *>(in.data()) + used;
  size_t length = size_t{head[0]} << 16 | size_t{head[1]} << 8 | head[2];
  if (in.size() - used < 9 + length) return false;
  frame = Frame{length, head[3], head[4], number(head + 5) & 0x7fffffff, head + 9};
  used += 9 + length;
  return true;
}

/** Of a SETTINGS frame the initial window, or `current`. */
inline int64_t initialWindow(const Frame &frame, int64_t current) {
  for (size_t i = 0; i + 6 <= frame.length; i += 6)
    if (frame.payload[i] == 0 && frame.payload[i + 1] == 4) current = number(frame.payload + i + 2);
  return current;
}

} // namespace http2
