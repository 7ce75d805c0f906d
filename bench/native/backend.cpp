// The application behind every proxy of the benchmark: backend http|tcp PORT.
// http answers each request with 1 KB and an X-Request-Id of its own; a path with /bytes/N is answered with N bytes.
// tcp sends back what comes; when the first byte is a D it sends bytes without end instead.
#include "sockets.h"
#include <string>

static constexpr size_t kBody = 1024;
static char block[256 << 10];

struct Peer {
  int fd;
  std::string in;
  std::string out;
  uint64_t bodyLeft = 0; // of a request
  uint64_t bytesLeft = 0; // of a large answer
  bool waiting = false;
};

static std::string jsonBody() {
  std::string body = "{\"items\":[";
  for (int i = 0; body.size() < kBody - 100; i++)
    body += "{\"id\":" + std::to_string(1000 + i) + ",\"name\":\"thread no. " + std::to_string(i) + "\",\"price\":12.50},";
  body.back() = ']';
  body += ",\"note\":\"";
  body.append(kBody - body.size() - 2, 'x');
  return body + "\"}";
}

class Http {
public:
  Http() : chance_(7), body_(jsonBody()) {
    head_ = "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Mon, 23 Nov 2026 21:55:28 GMT\r\nContent-Type: application/json; charset=utf-8\r\n"
            "Cache-Control: no-cache, max-age=0\r\nVary: Accept-Encoding\r\nX-Request-Id: ................................\r\nContent-Length: ";
    id_ = head_.find("....");
  }

  /** False when the peer is to be closed. */
  bool received(Peer &peer, const char *bytes, size_t length) {
    if (peer.in.empty() && peer.bodyLeft == 0) {
      size_t used = answerAll(peer, bytes, length);
      if (used < length) peer.in.assign(bytes + used, length - used);
      return peer.in.size() < (64 << 10);
    }
    peer.in.append(bytes, length);
    size_t used = answerAll(peer, peer.in.data(), peer.in.size());
    peer.in.erase(0, used);
    return peer.in.size() < (64 << 10);
  }

private:
  size_t answerAll(Peer &peer, const char *bytes, size_t length) {
    size_t used = 0;
    for (;;) {
      size_t left = length - used;
      if (peer.bodyLeft > 0) {
        size_t taken = left < peer.bodyLeft ? left : peer.bodyLeft;
        peer.bodyLeft -= taken;
        used += taken;
        if (peer.bodyLeft > 0 || left == taken) return used;
        continue;
      }
      const char *start = bytes + used;
      const char *end = static_cast<const char *>(memmem(start, left, "\r\n\r\n", 4));
      if (end == nullptr) return used;
      size_t head = static_cast<size_t>(end - start) + 4;
      used += head;
      if (*start == 'P') {
        const char *length = strcasestr(start, "\r\ncontent-length:");
        if (length != nullptr && length < end) peer.bodyLeft = strtoull(length + 17, nullptr, 10);
      }
      const char *large = static_cast<const char *>(memmem(start, head < 64 ? head : 64, "/bytes/", 7));
      answer(peer, large == nullptr ? 0 : strtoull(large + 7, nullptr, 10));
    }
  }

  void answer(Peer &peer, uint64_t bytes) {
    chance_.hex(&head_[id_], 32);
    peer.out += head_;
    if (bytes > 0) {
      peer.out += std::to_string(bytes) + "\r\n\r\n";
      peer.bytesLeft = bytes;
    } else {
      peer.out += "1024\r\n\r\n";
      peer.out += body_;
    }
  }

  Chance chance_;
  std::string body_;
  std::string head_;
  size_t id_;
};

/** False when the connection has failed. */
static bool flush(Peer &peer) {
  while (!peer.out.empty()) {
    ssize_t sent = send(peer.fd, peer.out.data(), peer.out.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    peer.out.erase(0, static_cast<size_t>(sent));
  }
  while (peer.bytesLeft > 0) {
    size_t wanted = peer.bytesLeft < sizeof block ? peer.bytesLeft : sizeof block;
    ssize_t sent = send(peer.fd, block, wanted, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    peer.bytesLeft -= static_cast<uint64_t>(sent);
  }
  return true;
}

int main(int count, char **arguments) {
  if (count < 3) {
    fprintf(stderr, "backend http|tcp PORT\n");
    return 2;
  }
  allowManySockets();
  memset(block, 'x', sizeof block);
  std::string mode = arguments[1];
  int listener = listenOn(atoi(arguments[2]));
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, nullptr);
  Http http;
  static char buffer[256 << 10];
  epoll_event events[256];
  for (;;) {
    int ready = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      Peer *peer = static_cast<Peer *>(events[i].data.ptr);
      if (peer == nullptr) {
        for (int fd; (fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
          noDelay(fd);
          Peer *accepted = new Peer{fd, {}, {}};
          watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, accepted);
        }
        continue;
      }
      bool open = true;
      if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        ssize_t length = recv(peer->fd, buffer, sizeof buffer, 0);
        if (length == 0 || (length < 0 && errno != EAGAIN)) open = false;
        else if (length > 0 && mode == "http") open = http.received(*peer, buffer, static_cast<size_t>(length));
        else if (length > 0 && buffer[0] == 'D') peer->bytesLeft = UINT64_MAX;
        else if (length > 0) peer->out.append(buffer, static_cast<size_t>(length));
      }
      if (open) open = flush(*peer);
      if (!open) {
        close(peer->fd);
        delete peer;
        continue;
      }
      bool waiting = !peer->out.empty() || peer->bytesLeft > 0;
      if (waiting != peer->waiting) {
        peer->waiting = waiting;
        watch(epoll, EPOLL_CTL_MOD, peer->fd, EPOLLIN | (waiting ? EPOLLOUT : 0u), peer);
      }
    }
  }
}
