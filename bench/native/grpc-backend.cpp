// The gRPC application of the benchmark: grpc-backend PORT. Cleartext HTTP/2; each stream's messages go back as they came, status OK at the end.
#include "http2-frames.h"
#include "sockets.h"
#include <algorithm>
#include <unordered_map>

struct Stream {
  int64_t window;
  bool answered = false;
  bool ended = false;
  std::string waiting; // for window
};

struct Peer {
  int fd;
  std::string in, out;
  bool preface = false, waiting = false;
  int64_t window = http2::kInitialWindow, initialWindow = http2::kInitialWindow;
  uint64_t consumed = 0;
  std::unordered_map<uint32_t, Stream> streams;
};

static std::string answerHead, trailers;

static void progress(Peer &peer, uint32_t id, Stream &stream) {
  if (!stream.waiting.empty()) {
    int64_t most = std::min(stream.window, peer.window);
    most = std::min<int64_t>(most, 16384);
    while (!stream.waiting.empty() && most > 0) {
      size_t length = std::min(stream.waiting.size(), static_cast<size_t>(most));
      http2::frameHead(peer.out, length, http2::kData, 0, id);
      peer.out.append(stream.waiting, 0, length);
      stream.waiting.erase(0, length);
      stream.window -= static_cast<int64_t>(length);
      peer.window -= static_cast<int64_t>(length);
      most = std::min<int64_t>(std::min(stream.window, peer.window), 16384);
    }
  }
  if (stream.ended && stream.waiting.empty()) {
    http2::frameHead(peer.out, trailers.size(), http2::kHeaders, http2::kEndHeaders | http2::kEndStream, id);
    peer.out += trailers;
    peer.streams.erase(id);
  }
}

static void progressAll(Peer &peer) {
  for (auto next = peer.streams.begin(); next != peer.streams.end();) {
    auto current = next++; // `progress` may erase it
    progress(peer, current->first, current->second);
  }
}

static bool handle(Peer &peer, const http2::Frame &frame) {
  switch (frame.type) {
  case http2::kHeaders: {
    Stream &stream = peer.streams.try_emplace(frame.stream, Stream{peer.initialWindow, false, false, {}}).first->second;
    if (!stream.answered) {
      stream.answered = true;
      http2::frameHead(peer.out, answerHead.size(), http2::kHeaders, http2::kEndHeaders, frame.stream);
      peer.out += answerHead;
    }
    if (frame.flags & http2::kEndStream) stream.ended = true;
    progress(peer, frame.stream, stream);
    return true;
  }
  case http2::kData: {
    peer.consumed += frame.length;
    if (peer.consumed >= 1 << 20) {
      http2::windowUpdate(peer.out, 0, static_cast<uint32_t>(peer.consumed));
      peer.consumed = 0;
    }
    auto found = peer.streams.find(frame.stream);
    if (found == peer.streams.end()) return true; // reset meanwhile
    if (frame.flags & http2::kPadded) return false;
    if (frame.length > 0) http2::windowUpdate(peer.out, frame.stream, static_cast<uint32_t>(frame.length));
    found->second.waiting.append(reinterpret_cast<const char *>(frame.payload), frame.length);
    if (frame.flags & http2::kEndStream) found->second.ended = true;
    progress(peer, frame.stream, found->second);
    return true;
  }
  case http2::kReset:
    peer.streams.erase(frame.stream);
    return true;
  case http2::kSettings: {
    if (frame.flags & http2::kAck) return true;
    int64_t window = http2::initialWindow(frame, peer.initialWindow);
    for (auto &[id, stream] : peer.streams) stream.window += window - peer.initialWindow;
    peer.initialWindow = window;
    http2::frameHead(peer.out, 0, http2::kSettings, http2::kAck, 0);
    progressAll(peer);
    return true;
  }
  case http2::kPing:
    if (frame.flags & http2::kAck || frame.length != 8) return true;
    http2::frameHead(peer.out, 8, http2::kPing, http2::kAck, 0);
    peer.out.append(reinterpret_cast<const char *>(frame.payload), 8);
    return true;
  case http2::kWindowUpdate: {
    int64_t increment = http2::number(frame.payload) & 0x7fffffff;
    if (frame.stream == 0) {
      bool dry = peer.window <= 0;
      peer.window += increment;
      if (dry) progressAll(peer);
      return true;
    }
    auto found = peer.streams.find(frame.stream);
    if (found == peer.streams.end()) return true;
    found->second.window += increment;
    progress(peer, frame.stream, found->second);
    return true;
  }
  default:
    return true;
  }
}

static bool received(Peer &peer) {
  size_t used = 0;
  if (!peer.preface) {
    if (peer.in.size() < http2::kPrefaceLength) return true;
    if (memcmp(peer.in.data(), http2::kPreface, http2::kPrefaceLength) != 0) return false;
    peer.preface = true;
    used = http2::kPrefaceLength;
    http2::openConnection(peer.out);
  }
  http2::Frame frame;
  while (http2::nextFrame(peer.in, used, frame))
    if (!handle(peer, frame)) return false;
  peer.in.erase(0, used);
  return true;
}

static bool flush(Peer &peer) {
  size_t sent = 0;
  while (sent < peer.out.size()) {
    ssize_t length = send(peer.fd, peer.out.data() + sent, peer.out.size() - sent, MSG_NOSIGNAL);
    if (length < 0) {
      if (errno != EAGAIN) return false;
      break;
    }
    sent += static_cast<size_t>(length);
  }
  peer.out.erase(0, sent);
  return true;
}

int main(int count, char **arguments) {
  if (count < 2) return 2;
  allowManySockets();
  answerHead.push_back(static_cast<char>(0x88)); // :status 200
  http2::field(answerHead, 31, "application/grpc");
  http2::field(trailers, "grpc-status", "0");
  int listener = listenOn(atoi(arguments[1]));
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, nullptr);
  static char buffer[256 << 10];
  epoll_event events[256];
  for (;;) {
    int ready = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      Peer *peer = static_cast<Peer *>(events[i].data.ptr);
      if (peer == nullptr) {
        for (int fd; (fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
          noDelay(fd);
          Peer *accepted = new Peer{};
          accepted->fd = fd;
          watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, accepted);
        }
        continue;
      }
      bool open = true;
      if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        ssize_t length = recv(peer->fd, buffer, sizeof buffer, 0);
        if (length == 0 || (length < 0 && errno != EAGAIN)) open = false;
        else if (length > 0) {
          peer->in.append(buffer, static_cast<size_t>(length));
          open = received(*peer);
        }
      }
      if (open) open = flush(*peer);
      if (!open) {
        close(peer->fd);
        delete peer;
        continue;
      }
      if (peer->waiting == peer->out.empty()) {
        peer->waiting = !peer->waiting;
        watch(epoll, EPOLL_CTL_MOD, peer->fd, EPOLLIN | (peer->waiting ? EPOLLOUT : 0u), peer);
      }
    }
  }
}
