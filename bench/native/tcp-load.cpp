// TCP load: tcp-load PORT CONNECTIONS SECONDS download|dial. Prints one line of JSON.
// download: asks the back end for bytes and counts them. dial: connects, sends a line, has it echoed, closes; and again.
#include "histogram.h"
#include "sockets.h"
#include <string>
#include <vector>

static constexpr char kLine[] = "one line of sixty-four bytes which the back end sends as it came";
static constexpr size_t kLineLength = sizeof kLine - 1;

struct Peer {
  int fd = -1;
  bool standing = false;
  double since = 0;
  size_t echoed = 0;
};

int main(int count, char **arguments) {
  if (count < 5) {
    fprintf(stderr, "tcp-load PORT CONNECTIONS SECONDS download|dial\n");
    return 2;
  }
  int port = atoi(arguments[1]);
  std::vector<Peer> peers(static_cast<size_t>(atoi(arguments[2])));
  double seconds = atof(arguments[3]);
  bool download = std::string(arguments[4]) == "download";
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  uint64_t bytes = 0, errors = 0;
  Histogram latencies;
  auto open = [&](Peer &peer) {
    peer = Peer{};
    peer.since = now();
    peer.fd = errors < 100'000 ? dial(port) : -1;
    if (peer.fd < 0) errors++;
    else watch(epoll, EPOLL_CTL_ADD, peer.fd, EPOLLIN | EPOLLOUT, &peer);
  };
  auto reopen = [&](Peer &peer) {
    close(peer.fd);
    open(peer);
  };
  for (Peer &peer : peers) open(peer);
  double start = now();
  static char buffer[256 << 10];
  epoll_event events[256];
  while (now() < start + seconds) {
    int ready = epoll_wait(epoll, events, 256, 50);
    for (int i = 0; i < ready; i++) {
      Peer &peer = *static_cast<Peer *>(events[i].data.ptr);
      if (!peer.standing) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(peer.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0 || !(events[i].events & EPOLLOUT)) {
          errors++;
          reopen(peer);
          continue;
        }
        peer.standing = true;
        watch(epoll, EPOLL_CTL_MOD, peer.fd, EPOLLIN, &peer);
        if (send(peer.fd, download ? "D" : kLine, download ? 1 : kLineLength, MSG_NOSIGNAL) < 0) errors++;
        continue;
      }
      ssize_t length = recv(peer.fd, buffer, sizeof buffer, 0);
      if (length < 0 && errno == EAGAIN) continue;
      if (length > 0 && download) bytes += static_cast<uint64_t>(length);
      else if (length > 0) {
        peer.echoed += static_cast<size_t>(length);
        if (peer.echoed == kLineLength) shutdown(peer.fd, SHUT_WR);
      } else {
        if (length == 0 && !download && peer.echoed == kLineLength) latencies.record((now() - peer.since) * 1e6);
        else errors++;
        reopen(peer);
      }
    }
  }
  double elapsed = now() - start;
  printf("{\"seconds\":%.6f,\"count\":%llu,\"bytes\":%llu,\"errors\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f}\n", elapsed,
         static_cast<unsigned long long>(latencies.count()), static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(errors),
         latencies.quantile(0.5), latencies.quantile(0.99));
}
